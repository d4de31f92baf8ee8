#include "training.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "../../failure.h"

namespace distiltune::engine {

namespace {

// torch.nn.utils.clip_grad_norm_ adds it to the norm it divides by.
constexpr double clip_epsilon = 1e-6;

void check_finite(double value, const char* what, uint64_t step) {
  if (std::isfinite(value)) return;
  throw Failure("NON_FINITE",
                std::string("The ") + what + " of step " + std::to_string(step) + " is " +
                    std::to_string(value) + ", so no weight was changed",
                "Lower the learning rate, or look at the rows of this step");
}

/** The last `count` values of a run, those that are trained. */
View end_of(View run, int64_t count) {
  View end = run.columns(run.cols - count, count);
  end.stride = count;
  return end;
}

template <class Value>
bool finite(View values) {
  const Value* const first = static_cast<const Value*>(values.data);
  // Zero times anything finite is zero; a sum, unlike a search, can be taken many at a time.
  Value sums[16] = {};
  int64_t at = 0;
  for (; at + 16 <= values.count(); at += 16) {
    for (int lane = 0; lane < 16; ++lane) sums[lane] += first[at + lane] * 0;
  }
  for (; at < values.count(); ++at) sums[0] += first[at] * 0;
  return std::all_of(std::begin(sums), std::end(sums), [](Value sum) { return sum == 0; });
}

}  // namespace

Training::Training(Ops& ops, const model::Shape& shape, const DropoutRates& rates, const LossOptions& loss,
                   const OptimizerOptions& optimizer, uint64_t seed, Frozen frozen)
    : ops_(ops),
      loss_(loss),
      optimizer_(optimizer),
      model_(ops, shape, rates, seed, frozen),
      parameters_(shape, ops.dtype(), ParameterStore::WordTable::kept),
      moments1_(shape, ops.dtype(), ParameterStore::WordTable::kept, frozen.parameters()),
      moments2_(shape, ops.dtype(), ParameterStore::WordTable::kept, frozen.parameters()),
      other_gradients_(shape, ops.dtype(), ParameterStore::WordTable::absent, frozen.parameters()),
      gradients_{{}, other_gradients_.parameters()} {}

template <class Body>
auto Training::or_clear(Body body) {
  try {
    return body();
  } catch (...) {
    clear_gradients();
    throw;
  }
}

std::vector<double> Training::accumulate(const std::vector<LabelledBatch>& batches, double divisor,
                                         const Cancelled& cancelled) {
  return or_clear([&] {
    const Parameters& parameters = parameters_.parameters();
    std::vector<double> losses;
    for (const LabelledBatch& batch : batches) {
      level(batch.rows);
      const View logits = model_.forward(parameters, batch.rows, counters_.micro_batches++, cancelled);
      const double loss = mean_loss(loss_, logits, batch.labels, 1 / divisor, logits);
      check_finite(loss, "loss", counters_.steps + 1);
      losses.push_back(loss);
      gradients_.add = counters_.pending > 0;
      model_.backward(parameters, batch.rows, logits, gradients_, cancelled);
      ++counters_.pending;
    }
    return losses;
  });
}

StepResult Training::step(const std::vector<LabelledBatch>& batches, double divisor, double learning_rate,
                          const Cancelled& cancelled) {
  return or_clear([&] {
    StepResult result{accumulate(batches, divisor, cancelled), gradient_norm()};
    check_finite(result.grad_norm, "gradient norm", counters_.steps + 1);
    ++counters_.steps;
    const double limit = optimizer_.max_grad_norm;
    update(learning_rate, limit > 0 ? std::min(1.0, limit / (result.grad_norm + clip_epsilon)) : 1.0);
    clear_gradients();
    return result;
  });
}

bool Training::all_finite(const ParameterStore& store) {
  for (const View run : {store.word_table(), store.decayed(), store.spared()}) {
    if (run.data && !(run.dtype == DType::f32 ? finite<float>(run) : finite<double>(run))) return false;
  }
  return true;
}

View Training::logits(const Batch& batch, const Cancelled& cancelled) {
  level(batch);
  return model_.evaluate(parameters_.parameters(), batch, cancelled);
}

void Training::level() {
  if (late_words_.steps.empty()) return;
  ops_.level(parameters_.word_table(), moments1_.word_table(), moments2_.word_table(), nullptr, late_words_);
}

void Training::level(const Batch& batch) {
  if (late_words_.steps.empty()) return;
  std::vector<int32_t> ids(batch.ids, batch.ids + batch.tokens());
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  ops_.level(parameters_.word_table(), moments1_.word_table(), moments2_.word_table(), &ids, late_words_);
}

/** Weights of linear layers keep what they have: it is overwritten. */
void Training::clear_gradients() {
  gradients_.word_embeddings.clear();
  for (const View view : {other_gradients_.parameters().position_embeddings, other_gradients_.spared()}) {
    if (view.data) std::memset(view.data, 0, view.count() * size_of(view.dtype));
  }
  counters_.pending = 0;
}

double Training::gradient_norm() {
  return std::sqrt(ops_.sum_of_squares(gradients_.word_embeddings) +
                   ops_.sum_of_squares(other_gradients_.decayed()) +
                   ops_.sum_of_squares(other_gradients_.spared()));
}

void Training::update(double learning_rate, double gradient_scale) {
  AdamWStep step{optimizer_.flavor,
                 learning_rate,
                 optimizer_.beta1,
                 optimizer_.beta2,
                 optimizer_.epsilon,
                 optimizer_.weight_decay,
                 static_cast<int64_t>(counters_.steps),
                 gradient_scale};
  if (moments1_.word_table().data) {
    ops_.adamw(step, parameters_.word_table(), moments1_.word_table(), moments2_.word_table(),
               gradients_.word_embeddings, late_words_);
  }
  const auto run = [&](View parameters, View moment1, View moment2, View gradient) {
    ops_.adamw(step, end_of(parameters, moment1.count()), moment1, moment2, gradient);
  };
  run(parameters_.decayed(), moments1_.decayed(), moments2_.decayed(), other_gradients_.decayed());
  step.weight_decay = 0;
  run(parameters_.spared(), moments1_.spared(), moments2_.spared(), other_gradients_.spared());
}

}  // namespace distiltune::engine
