// What a stopped step leaves behind; the rest of a training is tested through sessions
// (test/40-session-gradients.test.ts).
#include "../train/training.h"

#include <cmath>

#include "../../failure.h"
#include "../../kernels/thread_pool.h"
#include "../../test/refusal.h"
#include "../ops/cpu.h"
#include "examples.h"

namespace distiltune::engine::test {
namespace {

const model::Shape shape{60, 16, 2, 2, 16, 24, 3, Activation::gelu};

CASE("a step or accumulate that is cancelled leaves parameters and moments, and drops what was pending") {
  kernels::ThreadPool pool(1);
  const auto ops = make_cpu_ops(pool);
  Training training(*ops, shape, {0, 0, 0}, {}, {kernels::AdamWFlavor::torch, 0.9, 0.999, 1e-8, 0.01, 1}, 1);
  fill(training.parameters(), shape, 7);
  const OwnBatch first({2, 7, 16}, shape, 1), second({3, 4}, shape, 2);
  const Cancelled never{false}, at_once{true};
  training.step({first.labelled()}, 1, 1e-3, never);
  const auto all = [&] {
    training.level();
    Values out;
    const ParameterStore* const stores[] = {&training.parameters(), &training.moments1(),
                                            &training.moments2()};
    for (const ParameterStore* store : stores) {
      for (const View& view : store->views()) {
        const Values values = values_of(view);
        out.insert(out.end(), values.begin(), values.end());
      }
    }
    return out;
  };
  const Values before = all();
  for (const bool step : {true, false}) {
    training.accumulate({first.labelled()}, 1, never);
    CHECK(!training.word_gradient().rows.ids.empty());
    CHECK(ops->sum_of_squares(training.other_gradients().decayed()) > 0);
    const std::string code = distiltune::test::code_of([&] {
      step ? void(training.step({second.labelled()}, 1, 1e-3, at_once))
           : void(training.accumulate({second.labelled()}, 1, at_once));
    });
    CHECK(code == "CANCELLED");
    CHECK(all() == before);
    CHECK(training.word_gradient().rows.ids.empty() && training.word_gradient().rows.values.empty());
    CHECK(training.counters().pending == 0);
    CHECK(ops->sum_of_squares(training.other_gradients().spared()) == 0);
  }
}

CASE("what is frozen keeps its bytes, has no moments and does not count in the norm") {
  kernels::ThreadPool pool(1);
  const auto ops = make_cpu_ops(pool);
  const OptimizerOptions optimizer{kernels::AdamWFlavor::torch, 0.9, 0.999, 1e-8, 0.01, 0};
  const OwnBatch batch({2, 7, 16}, shape, 1);
  const Cancelled never{false};
  const size_t infos = model::parameters(shape).size();
  for (int64_t layers = 0; layers <= shape.layers; ++layers) {
    const Frozen frozen{true, layers};
    Training all(*ops, shape, {0, 0, 0}, {}, optimizer, 1),
        some(*ops, shape, {0, 0, 0}, {}, optimizer, 1, frozen);
    fill(all.parameters(), shape, 7);
    fill(some.parameters(), shape, 7);
    all.accumulate({batch.labelled()}, 1, never);
    double squares = 0;
    for (size_t index = frozen.parameters(); index < infos; ++index) {
      const double each = norm(values_of(all.other_gradients().views()[index]));
      squares += each * each;
    }
    const double norm_of_some = some.step({batch.labelled()}, 1, 1e-3, never).grad_norm;
    CHECK_NEAR(norm_of_some / std::sqrt(squares), 1, 1e-12);  // sums in double, in another order
    all.step({batch.labelled()}, 2, 1e-3, never);
    some.level();
    ParameterStore start(shape, DType::f32, ParameterStore::WordTable::kept);
    fill(start, shape, 7);
    int64_t trained = 0;
    for (size_t index = 0; index < infos; ++index) {
      const bool kept = values_of(some.parameters().views()[index]) == values_of(start.views()[index]);
      CHECK(kept == (index < frozen.parameters()) ||
            model::parameters(shape)[index].name.find("k_lin.bias") != std::string::npos);
      if (index >= frozen.parameters()) trained += start.views()[index].count();
    }
    CHECK(some.moments1().bytes() == static_cast<size_t>(trained) * 4);
    CHECK(some.moments2().bytes() == some.moments1().bytes());
  }
}

CASE("one weight that is no number is found, wherever it lies") {
  kernels::ThreadPool pool(1);
  const auto ops = make_cpu_ops(pool);
  Training training(*ops, shape, {0, 0, 0}, {}, {kernels::AdamWFlavor::torch, 0.9, 0.999, 1e-8, 0, 1}, 1);
  fill(training.parameters(), shape, 7);
  CHECK(training.is_finite());
  for (const View& view : training.parameters().views()) {
    for (const int64_t at : {int64_t{0}, view.count() / 2, view.count() - 1}) {
      for (const float wrong : {INFINITY, -INFINITY, NAN}) {
        const float before = view.f32()[at];
        view.f32()[at] = wrong;
        CHECK(!training.is_finite());
        view.f32()[at] = before;
      }
    }
  }
  CHECK(training.is_finite());
}

}  // namespace
}  // namespace distiltune::engine::test

MAIN
