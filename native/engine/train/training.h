#pragma once
#include <memory>
#include <string>
#include <vector>

#include "../distilbert.h"
#include "../ops/ops.h"
#include "../parameters.h"
#include "loss.h"

namespace distiltune::engine {

/** AdamW (kernels/adamw.h) and clipping. Weight decay spares biases and LayerNorm. */
struct OptimizerOptions {
  kernels::AdamWFlavor flavor;
  double beta1;
  double beta2;
  double epsilon;
  double weight_decay;
  double max_grad_norm;  // 0: no clipping
};

struct LabelledBatch {
  Batch rows;
  Labels labels;  // of the kind that the loss takes
};

struct StepResult {
  std::vector<double> losses;  // mean loss of each micro-batch
  double grad_norm;            // of all pending gradients together, before clipping
};

/** What dropout and AdamW hang on. */
struct Counters {
  uint64_t steps = 0;          // taken
  uint64_t micro_batches = 0;  // seen, in failed steps too: no two draw the same masks
  uint64_t pending = 0;        // micro-batches whose gradients wait for an update
};

/**
 * A model being trained: its parameters, their moments, gradients that wait for an update, and counters.
 * Batches are checked by the caller.
 *
 * accumulate() and step() throw NON_FINITE where a loss or the norm is no number, and CANCELLED. Parameters
 * and moments are then as before, and nothing is pending: what a failed batch has added cannot be taken out
 * again.
 */
class Training {
 public:
  /** Parameters are zero until they are filled in. What is frozen has neither gradients nor moments. The
   * operations must outlive it. */
  Training(Ops& ops, const model::Shape& shape, const DropoutRates& rates, const LossOptions& loss,
           const OptimizerOptions& optimizer, uint64_t seed, Frozen frozen = {});

  ParameterStore& parameters() { return parameters_; }
  ParameterStore& moments1() { return moments1_; }
  ParameterStore& moments2() { return moments2_; }
  /** Pending ones, where any are; the other store has no word table. */
  WordGradient& word_gradient() { return gradients_.word_embeddings; }
  ParameterStore& other_gradients() { return other_gradients_; }
  Counters& counters() { return counters_; }

  /** Adds each batch's gradients over `divisor`, whatever its rows. Returns the mean loss of each, undivided.
   */
  std::vector<double> accumulate(const std::vector<LabelledBatch>& batches, double divisor,
                                 const Cancelled& cancelled);

  /** accumulate(), then one optimizer step with all that is pending, which is then cleared. */
  StepResult step(const std::vector<LabelledBatch>& batches, double divisor, double learning_rate,
                  const Cancelled& cancelled);

  /** Brings the word table and its moments up to date, of which rows may be late between steps; due before
   * either is looked at from outside. */
  void level();

  /** Whether every parameter, or every value of `store`, is a finite number. */
  bool is_finite() {
    level();
    return all_finite(parameters_);
  }
  static bool all_finite(const ParameterStore& store);

  /** Logits (rows, labels) without dropout, valid until the next call. */
  View logits(const Batch& batch, const Cancelled& cancelled);

 private:
  /** Runs body(), after whose failure nothing is pending. */
  template <class Body>
  auto or_clear(Body body);
  /** Brings the words of a batch up to date. */
  void level(const Batch& batch);
  void clear_gradients();
  double gradient_norm();
  void update(double learning_rate, double gradient_scale);

  Ops& ops_;
  LossOptions loss_;
  OptimizerOptions optimizer_;
  DistilBert model_;
  ParameterStore parameters_, moments1_, moments2_;
  ParameterStore other_gradients_;
  Gradients gradients_;
  LateRows late_words_;
  Counters counters_;
};

}  // namespace distiltune::engine
