#pragma once
#include <string>

#include "dtype.h"
#include "head.h"
#include "shape.h"

namespace distiltune::model {

/**
 * Writes the classifier whose weights are at `from` to `to`, safetensors as write_safetensors does, with this
 * head in place of its own: F32, but for the word table and the matrices of the layers, which are BF16 with
 * bf16 and with int8 8-bit numbers beside their scales (F32, name and `_scale`). What packing in that dtype
 * then finds is what it would make of `from`. Holds all of it in memory. Throws what WeightsFile and
 * write_safetensors throw, TENSOR_MISSING or HEAD_INVALID.
 */
void save_weights(const std::string& from, const Shape& shape, const Head& head, Dtype dtype,
                  const std::string& to);

/** The dtype whose numbers the weights at `path` are, in all that save_weights would keep so; fp32 where they
 * are of no other one. Reads no values. Throws what WeightsFile throws. */
Dtype stored_dtype(const std::string& path, const Shape& shape);

}  // namespace distiltune::model
