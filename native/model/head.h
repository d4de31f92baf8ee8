#pragma once
#include <cstdint>
#include <vector>

namespace distiltune::model {

/** The last linear layer, `classifier` in a checkpoint: logits = weight · features + bias. */
struct Head {
  std::vector<float> weight;  // (labels, dim)
  std::vector<float> bias;    // (labels)
};

/** Throws HEAD_INVALID where it has other sizes. */
void check(const Head& head, int64_t labels, int64_t dim);

}  // namespace distiltune::model
