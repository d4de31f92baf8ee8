// What a stopped step leaves behind; the rest of a training is tested through sessions
// (test/40-session-gradients.test.ts).
#include "../train/training.h"

#include "../../failure.h"
#include "../../kernels/thread_pool.h"
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
    std::string code;
    try {
      step ? void(training.step({second.labelled()}, 1, 1e-3, at_once))
           : void(training.accumulate({second.labelled()}, 1, at_once));
    } catch (const Failure& failure) {
      code = failure.code;
    }
    CHECK(code == "CANCELLED");
    CHECK(all() == before);
    CHECK(training.word_gradient().rows.ids.empty() && training.word_gradient().rows.values.empty());
    CHECK(ops->sum_of_squares(training.other_gradients().decayed()) == 0);
    CHECK(ops->sum_of_squares(training.other_gradients().spared()) == 0);
  }
}

}  // namespace
}  // namespace distiltune::engine::test

MAIN
