// Which products of the engine round their operands to bfloat16.
#include <utility>

#include "../../kernels/thread_pool.h"
#include "../ops/cpu.h"
#include "twins.h"

namespace distiltune::engine::test {
namespace {

struct Products {
  Values y, dx, dw, db;
  bool operator==(const Products& other) const {
    return y == other.y && dx == other.dx && dw == other.dw && db == other.db;
  }
};

Products of(Ops& ops, int64_t outputs) {
  constexpr int64_t rows = 7, inputs = 48;
  Twins values;
  const View x = values.drawn(rows, inputs).single, w = values.drawn(outputs, inputs).single,
             b = values.drawn(1, outputs).single, dy = values.drawn(rows, outputs).single;
  const View y = values.empty(rows, outputs).single, dx = values.empty(rows, inputs).single,
             dw = values.drawn(outputs, inputs).single, db = values.drawn(1, outputs).single;
  ops.linear(x, w, b, y);
  ops.linear_backward_input(dy, w, dx, false);
  ops.linear_backward_weight(dy, x, dw, db, true);
  return {values_of(y), values_of(dx), values_of(dw), values_of(db)};
}

CASE("bf16 rounds the operands of layers of 16 outputs and more, in all three products, and of no others") {
  kernels::ThreadPool pool(2);
  const auto fp32 = make_cpu_ops(pool), bf16 = make_cpu_ops(pool, Precision::bf16);
  for (const int64_t outputs : {1, 2, 15}) CHECK(of(*bf16, outputs) == of(*fp32, outputs));
  for (const int64_t outputs : {16, 17, 96}) {
    const Products rounded = of(*bf16, outputs), whole = of(*fp32, outputs);
    // Two operands, each off by up to 2^-9, 0.2%; the sums of a bias are of what was not rounded.
    for (const auto& [got, want] : {std::pair{&rounded.y, &whole.y}, std::pair{&rounded.dx, &whole.dx},
                                    std::pair{&rounded.dw, &whole.dw}}) {
      CHECK(distance(*got, *want) > 1e-4);
      CHECK_NEAR(distance(*got, *want), 0, 4e-3);
    }
    CHECK(rounded.db == whole.db);
  }
}

CASE("bf16 rounds the operands of attention's products, forward and backward") {
  kernels::ThreadPool pool(2);
  model::Shape shape;
  shape.vocab_size = 100;
  shape.labels = 2;
  const OwnBatch batch({20, 5}, shape, 1);
  const auto of = [&](Precision precision) {
    const auto ops = make_cpu_ops(pool, precision);
    Twins values;
    const View qkv = values.drawn(25, 3 * 32).single, dout = values.drawn(25, 32).single;
    const View out = values.empty(25, 32).single, lse = values.empty(2, 25).single,
               dqkv = values.empty(25, 3 * 32).single;
    const Attention how{2, false, {}};
    const auto third = [](View all, int64_t index) { return all.columns(32 * index, 32); };
    ops->attention(batch.rows(), how, third(qkv, 0), third(qkv, 1), third(qkv, 2), out, lse);
    ops->attention_backward(batch.rows(), how, third(qkv, 0), third(qkv, 1), third(qkv, 2), out, lse, dout,
                            third(dqkv, 0), third(dqkv, 1), third(dqkv, 2));
    return std::pair{values_of(out), values_of(dqkv)};
  };
  const auto whole = of(Precision::fp32), rounded = of(Precision::bf16);
  for (const auto& [got, want] :
       {std::pair{&rounded.first, &whole.first}, std::pair{&rounded.second, &whole.second}}) {
    CHECK(distance(*got, *want) > 1e-4);
    CHECK_NEAR(distance(*got, *want), 0, 2e-2);  // attention_test.cpp of the kernels
  }
}

}  // namespace
}  // namespace distiltune::engine::test

MAIN
