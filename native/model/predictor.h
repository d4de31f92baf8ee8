#pragma once
#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "../kernels/gemm.h"
#include "../kernels/thread_pool.h"
#include "batch.h"
#include "head.h"
#include "shape.h"
#include "weights.h"

namespace distiltune::model {

/**
 * A trained DistilBERT classifier in evaluation mode: forward only, float32, weights laid out once for the
 * kernels. A row's logits have the same bits whatever else is in its batch and for any number of threads.
 */
class Predictor {
 public:
  /** `threads`: 0 means one per physical core. Throws what WeightsFile throws, or MODEL_NOT_TRAINED where the
   * file has no head. */
  Predictor(const std::string& weights, const Shape& shape, int threads);

  const Shape& shape() const { return shape_; }
  /** The head of the file. */
  const Head& head() const { return head_; }

  /** What a head reads, (rows, dim): relu(pre_classifier(first token)) of a checked batch. One caller at a
   * time. Throws CANCELLED soon after `cancelled` is set. */
  void features(const Batch& batch, float* features, const std::atomic<bool>& cancelled);

  /** logits (rows, labels) of a checked batch under a checked head; otherwise as features(). */
  void logits(const Batch& batch, const Head& head, float* logits, const std::atomic<bool>& cancelled);

 private:
  class Source;
  struct LayerNorm {
    std::vector<float> gamma, beta;  // (dim)
  };
  struct Layer {
    kernels::PackedLinear q_lin;   // (dim, dim)
    kernels::PackedLinear kv_lin;  // (2 dim, dim): k_lin above v_lin
    kernels::PackedLinear out_lin;
    LayerNorm sa_layer_norm;
    kernels::PackedLinear lin1, lin2;
    LayerNorm output_layer_norm;
  };

  Predictor(Source source, const Shape& shape, int threads);
  void add_and_norm(const float* x, const float* residual, const LayerNorm& norm, float* y, int64_t tokens);

  // In registration order: the constructor reads them one after another.
  Shape shape_;
  std::vector<float> word_embeddings_;      // (vocab_size, dim)
  std::vector<float> position_embeddings_;  // (max_positions, dim)
  LayerNorm embeddings_layer_norm_;
  std::vector<Layer> layers_;
  kernels::PackedLinear pre_classifier_;
  Head head_;
  kernels::ThreadPool pool_;
};

}  // namespace distiltune::model
