#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "../kernels/thread_pool.h"
#include "batch.h"
#include "head.h"
#include "packed.h"
#include "shape.h"

namespace distiltune::model {

/**
 * A trained DistilBERT classifier in evaluation mode: forward only. LayerNorm, softmax, GELU and the head
 * are computed in float32 whatever the dtype, attention's products in bfloat16 with that dtype alone. A row's
 * logits have the same bits whatever else is in its batch and for any number of threads.
 */
class Predictor {
 public:
  /** Calls of predictors that share a pool must not overlap. */
  Predictor(std::unique_ptr<PackedWeights> weights, const Shape& shape, Dtype dtype,
            std::shared_ptr<kernels::ThreadPool> pool);

  const Shape& shape() const { return shape_; }
  /** The head of the file. */
  const Head& head() const { return head_; }

  /** What a head reads, (rows, dim): relu(pre_classifier(first token)) of a checked batch. One caller at a
   * time. Throws CANCELLED soon after `cancelled` is set. */
  void features(const Batch& batch, float* features, const std::atomic<bool>& cancelled);

  /** logits (rows, labels) of a checked batch under a checked head; otherwise as features(). */
  void logits(const Batch& batch, const Head& head, float* logits, const std::atomic<bool>& cancelled);

 private:
  class Pass;

  std::unique_ptr<PackedWeights> weights_;
  Shape shape_;
  Dtype dtype_;
  Head head_;
  std::shared_ptr<kernels::ThreadPool> pool_;
};

}  // namespace distiltune::model
