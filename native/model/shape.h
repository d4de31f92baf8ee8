#pragma once
#include <cstdint>

namespace distiltune::model {

enum class Activation { gelu, relu };

/** Sizes of a DistilBERT classifier: interface ModelShape in lib/runtime/native.ts. */
struct Shape {
  int64_t vocab_size;
  int64_t max_positions;
  int64_t layers;
  int64_t heads;
  int64_t dim;  // a multiple of heads
  int64_t hidden_dim;
  int64_t labels;
  Activation activation;

  int64_t head_dim() const { return dim / heads; }
};

/** Throws MODEL_SHAPE_INVALID where a size is not positive, heads do not divide dim, or there are over 1e9
 * parameters. */
void check(const Shape& shape);

}  // namespace distiltune::model
