#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "shape.h"

namespace distiltune::model {

/** The last linear layer, `classifier` in a checkpoint: logits = weight · features + bias. */
struct Head {
  std::vector<float> weight;  // (labels, dim)
  std::vector<float> bias;    // (labels)
};

/** Throws HEAD_INVALID where it has other sizes. */
void check(const Head& head, int64_t labels, int64_t dim);

/**
 * Writes the classifier whose weights are at `from` to `to`, F32 safetensors as write_safetensors does, with
 * this head in place of its own. Holds all of it in memory. Throws what WeightsFile and write_safetensors
 * throw, or HEAD_INVALID.
 */
void save_with_head(const std::string& from, const Shape& shape, const Head& head, const std::string& to);

}  // namespace distiltune::model
