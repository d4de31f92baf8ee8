#pragma once
#include <memory>
#include <string>
#include <vector>

#include "../distilbert.h"
#include "../ops/ops.h"
#include "../parameters.h"

namespace distiltune::engine {

/** AdamW (torch's flavour) and clipping. Weight decay spares biases and LayerNorm. */
struct OptimizerOptions {
  double beta1;
  double beta2;
  double epsilon;
  double weight_decay;
  double max_grad_norm;  // 0: no clipping
};

/** A batch and the class index of each of its rows. */
struct LabelledBatch {
  Batch rows;
  const int32_t* classes;  // (rows)
};

struct StepResult {
  std::vector<double> losses;  // mean loss of each micro-batch
  double grad_norm;            // of all gradients together, before clipping
};

/** A model being trained: its parameters, their moments, and the counts that dropout and AdamW hang on. */
class Training {
 public:
  /** Parameters are zero until they are filled in. The operations must outlive it. */
  Training(Ops& ops, const model::Shape& shape, const DropoutRates& rates, const OptimizerOptions& optimizer,
           uint64_t seed);

  ParameterStore& parameters() { return parameters_; }

  /**
   * One optimizer step. The loss of each micro-batch counts 1 / batches.size(), whatever its rows. Throws
   * NON_FINITE, and leaves all as it was, where a loss or the norm is no number; CANCELLED likewise. Batches
   * are checked by the caller.
   */
  StepResult step(const std::vector<LabelledBatch>& batches, double learning_rate,
                  const Cancelled& cancelled);

  /** Logits (rows, labels) without dropout, valid until the next call. */
  View logits(const Batch& batch, const Cancelled& cancelled);

 private:
  double gradient_norm();
  void update(double learning_rate, double gradient_scale);

  Ops& ops_;
  OptimizerOptions optimizer_;
  DistilBert model_;
  ParameterStore parameters_, moments1_, moments2_;
  ParameterStore other_gradients_;
  Gradients gradients_;
  uint64_t steps_ = 0;          // taken
  uint64_t micro_batches_ = 0;  // taken in those steps
};

}  // namespace distiltune::engine
