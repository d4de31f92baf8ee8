#include "../kernels/gemm_int8.h"
#include "../kernels/packed_linear.h"
#include "packed.h"

namespace distiltune::model {
namespace {

/** Hands out places one after another. */
class Places {
 public:
  size_t bytes(size_t count) {
    const size_t place = end_;
    end_ = (end_ + count + 63) / 64 * 64;
    return place;
  }
  size_t floats(int64_t count) { return bytes(static_cast<size_t>(count) * sizeof(float)); }
  size_t linear(Dtype dtype, int64_t outputs, int64_t inputs) {
    return bytes(dtype == Dtype::int8   ? kernels::Int8Linear::bytes(outputs, inputs)
                 : dtype == Dtype::bf16 ? kernels::Bf16Linear::bytes(outputs, inputs)
                                        : kernels::FloatLinear::bytes(outputs, inputs));
  }
  PackedLayout::LayerNorm layer_norm(int64_t dim) { return {floats(dim), floats(dim)}; }
  size_t end() const { return end_; }

 private:
  size_t end_ = 0;
};

/** Bytes of a word's value. */
size_t value_bytes(Dtype dtype) {
  return dtype == Dtype::int8 ? sizeof(int8_t) : dtype == Dtype::bf16 ? sizeof(uint16_t) : sizeof(float);
}

}  // namespace

PackedLayout::PackedLayout(const Shape& shape, Dtype dtype) {
  const int64_t dim = shape.dim;
  Places places;
  words = places.bytes(static_cast<size_t>(shape.vocab_size * dim) * value_bytes(dtype));
  word_scales = places.floats(dtype == Dtype::int8 ? shape.vocab_size : 0);
  positions = places.floats(shape.max_positions * dim);
  embeddings_layer_norm = places.layer_norm(dim);
  for (int64_t i = 0; i < shape.layers; ++i)
    layers.push_back({places.linear(dtype, dim, dim), places.linear(dtype, 2 * dim, dim),
                      places.linear(dtype, dim, dim), places.layer_norm(dim),
                      places.linear(dtype, shape.hidden_dim, dim),
                      places.linear(dtype, dim, shape.hidden_dim), places.layer_norm(dim)});
  pre_classifier = places.linear(Dtype::fp32, dim, dim);
  head_weight = places.floats(shape.labels * dim);
  head_bias = places.floats(shape.labels);
  end = places.end();
}

}  // namespace distiltune::model
