#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "dtype.h"
#include "shape.h"

namespace distiltune::model {

/** Where the parts of packed weights lie, in bytes from their start, each aligned to 64. */
struct PackedLayout {
  struct LayerNorm {
    size_t gamma, beta;  // float[dim]
  };
  struct Layer {
    size_t q_lin;   // this and the others: kernels::FloatLinear, Bf16Linear or Int8Linear
    size_t kv_lin;  // (2 dim, dim): k_lin above v_lin
    size_t out_lin;
    LayerNorm sa_layer_norm;
    size_t lin1, lin2;
    LayerNorm output_layer_norm;
  };

  PackedLayout(const Shape& shape, Dtype dtype);

  size_t words;        // float, bfloat16 (kernels/bf16.h) or int8 [vocab_size][dim]
  size_t word_scales;  // float[vocab_size], of int8 words
  size_t positions;    // float[max_positions][dim]
  LayerNorm embeddings_layer_norm;
  std::vector<Layer> layers;
  size_t pre_classifier;          // kernels::FloatLinear, whatever the dtype
  size_t head_weight, head_bias;  // float[labels][dim], float[labels]
  size_t end;
};

/**
 * The weights of a trained classifier as its predictor reads them, in one block for this machine's
 * instruction set: in memory, or in a file of the cache that processes share. Never changed.
 */
class PackedWeights {
 public:
  /**
   * From `cache`, a file that an earlier call has written, or from the file of weights. `cache` empty: none.
   * Where it is not there, or is of another version, machine, shape or dtype, or cut short, it is written
   * anew; where it cannot be written the weights stay in memory. Throws what WeightsFile throws, or
   * MODEL_NOT_TRAINED where the file has no head.
   */
  PackedWeights(const std::string& weights, const Shape& shape, Dtype dtype, const std::string& cache);
  ~PackedWeights();

  const PackedLayout& layout() const { return layout_; }
  template <class Value>
  const Value* at(size_t place) const {
    return reinterpret_cast<const Value*>(data_ + place);
  }

 private:
  struct Memory;
  PackedLayout layout_;
  std::unique_ptr<Memory> memory_;
  const unsigned char* data_;
};

}  // namespace distiltune::model
