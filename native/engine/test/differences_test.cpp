// The backward of every operation against central differences of its forward, over ATen in double. The losses
// are in loss_test.cpp; our kernels are held to ATen in ops_test.cpp.
#include <deque>
#include <functional>

#include "../ops/aten.h"
#include "../workspace.h"
#include "examples.h"

namespace distiltune::engine::test {
namespace {

constexpr int64_t dim = 8, heads = 2, positions = 6;
const model::Shape shape{12, positions, 1, heads, dim, 12, 3, Activation::gelu};

/**
 * The error of a central difference is its step squared times a third derivative, at most about 10 here:
 * 1e-9; and the rounding of a sum of up to 200 products near 1, 1e-14, over the step: 1e-9. A wrong factor or
 * mask is off by 0.01 and more.
 */
constexpr double reach = 1e-5;
constexpr double tolerance = 1e-8;

const Dropout kept{};
const Dropout dropped{0.3f, 42, 3, 5};

class Doubles {
 public:
  Ops& ops() { return *ops_; }

  View drawn(int64_t rows, int64_t cols) {
    const View view = zeros(rows, cols);
    for (int64_t at = 0; at < view.count(); ++at) view.f64()[at] = normal_(random_);
    return view;
  }
  View zeros(int64_t rows, int64_t cols) {
    memory_.emplace_back(rows * cols);
    return {memory_.back().data(), DType::f64, rows, cols, cols};
  }

 private:
  std::unique_ptr<Ops> ops_ = make_aten_ops(DType::f64, 1);
  std::deque<Values> memory_;
  std::mt19937 random_{5};
  std::normal_distribution<double> normal_;
};

/** Sum of a view's values, each times its own weight. Views may be strided. */
double weighted(View values, View weights) {
  double sum = 0;
  for (int64_t row = 0; row < values.rows; ++row) {
    for (int64_t col = 0; col < values.cols; ++col) {
      sum += values.f64()[row * values.stride + col] * weights.f64()[row * weights.stride + col];
    }
  }
  return sum;
}

/** Each value of `input` from row `from` on; `forward` computes what is differentiated. */
void check_slopes(const std::string& what, View input, View gradient, const std::function<double()>& forward,
                  int64_t from = 0) {
  for (int64_t row = from; row < input.rows; ++row) {
    for (int64_t col = 0; col < input.cols; ++col) {
      double& value = input.f64()[row * input.stride + col];
      const double start = value;
      value = start + reach;
      const double up = forward();
      value = start - reach;
      const double down = forward();
      value = start;
      const double slope = (up - down) / (2 * reach), got = gradient.f64()[row * gradient.stride + col];
      if (!(std::fabs(got - slope) <= tolerance)) {
        throw distiltune::test::Mismatch{what + " at " + std::to_string(row) + ", " + std::to_string(col) +
                                         " is " + std::to_string(got) + ", the slope " +
                                         std::to_string(slope)};
      }
    }
  }
}

CASE("embed: the word table but its padding row, and the positions") {
  Doubles doubles;
  Ops& ops = doubles.ops();
  const OwnBatch batch({2, 5, positions}, shape, 1);
  const int64_t tokens = batch.ids.size();
  const View word = doubles.drawn(shape.vocab_size, dim), position = doubles.drawn(positions, dim);
  const View out = doubles.zeros(tokens, dim), dout = doubles.drawn(tokens, dim);
  const auto forward = [&] {
    ops.embed(batch.rows(), word, position, out);
    return weighted(out, dout);
  };
  WordGradient dword;
  const View dposition = doubles.zeros(positions, dim);
  ops.embed_backward(batch.rows(), dout, 0, dword, dposition);
  Values full = dense(dword, shape);
  check_slopes("dword", word, {full.data(), DType::f64, shape.vocab_size, dim, dim}, forward, 1);
  check_slopes("dposition", position, dposition, forward);
}

CASE("first_tokens") {
  Doubles doubles;
  Ops& ops = doubles.ops();
  const OwnBatch batch({2, 5, positions}, shape, 1);
  const int64_t tokens = batch.ids.size();
  const View x = doubles.drawn(tokens, dim), dx = doubles.zeros(tokens, dim);
  const View out = doubles.zeros(3, dim), dout = doubles.drawn(3, dim);
  ops.first_tokens_backward(batch.rows(), dout, dx);
  check_slopes("dx", x, dx, [&] {
    ops.first_tokens(batch.rows(), x, out);
    return weighted(out, dout);
  });
}

CASE("linear: input, weight and bias, of strided rows") {
  Doubles doubles;
  Ops& ops = doubles.ops();
  const View x = doubles.drawn(5, 3 * dim).columns(dim, dim), w = doubles.drawn(7, dim),
             b = doubles.drawn(1, 7);
  const View y = doubles.zeros(5, 7), dy = doubles.drawn(5, 7);
  const auto forward = [&] {
    ops.linear(x, w, b, y);
    return weighted(y, dy);
  };
  const View dx = doubles.zeros(5, dim), dw = doubles.zeros(7, dim), db = doubles.zeros(1, 7);
  ops.linear_backward_input(dy, w, dx, false);
  ops.linear_backward_weight(dy, x, dw, db, true);
  check_slopes("dx", x, dx, forward);
  check_slopes("dw", w, dw, forward);
  check_slopes("db", b, db, forward);
}

CASE("activate: gelu and relu") {
  for (const Activation activation : {Activation::gelu, Activation::relu}) {
    Doubles doubles;
    Ops& ops = doubles.ops();
    const View x = doubles.drawn(5, dim), y = doubles.zeros(5, dim), dy = doubles.drawn(5, dim);
    const View dx = doubles.zeros(5, dim);
    for (int64_t at = 0; at < x.count(); ++at) {
      CHECK(std::fabs(x.f64()[at]) > reach);  // relu has no slope at its corner
    }
    ops.activate_backward(activation, x, dy, dx);
    check_slopes("dx", x, dx, [&] {
      ops.activate(activation, x, y);
      return weighted(y, dy);
    });
  }
}

CASE("drop: its own backward") {
  Doubles doubles;
  Ops& ops = doubles.ops();
  const View x = doubles.drawn(5, dim), y = doubles.zeros(5, dim), dy = doubles.drawn(5, dim);
  const View dx = doubles.zeros(5, dim);
  ops.drop(dy, dropped, dx);
  check_slopes("dx", x, dx, [&] {
    ops.drop(x, dropped, y);
    return weighted(y, dy);
  });
}

CASE("layer_norm: what is dropped, residual, weight and bias") {
  Doubles doubles;
  Ops& ops = doubles.ops();
  const View x = doubles.drawn(5, dim), residual = doubles.drawn(5, dim);
  const View gamma = doubles.drawn(1, dim), beta = doubles.drawn(1, dim);
  const View sum = doubles.zeros(5, dim), mean = doubles.zeros(1, 5), rstd = doubles.zeros(1, 5);
  const View y = doubles.zeros(5, dim), dy = doubles.drawn(5, dim);
  for (const bool whole : {false, true}) {
    const auto forward = [&] {
      ops.layer_norm(x, whole ? dropped : kept, whole ? residual : View{}, gamma, beta, sum, mean, rstd, y);
      return weighted(y, dy);
    };
    const View dsum = doubles.zeros(5, dim), dx = doubles.zeros(5, dim);
    const View dgamma = doubles.zeros(1, dim), dbeta = doubles.zeros(1, dim);
    forward();
    ops.layer_norm_backward(dy, sum, mean, rstd, gamma, dsum, dgamma, dbeta);
    ops.drop(dsum, whole ? dropped : kept, dx);
    check_slopes("dx", x, dx, forward);
    if (whole) check_slopes("dresidual", residual, dsum, forward);
    check_slopes("dgamma", gamma, dgamma, forward);
    check_slopes("dbeta", beta, dbeta, forward);
  }
}

CASE("attention: queries, keys and values, all queries and first ones alone, dropout off and on") {
  for (const bool first_only : {false, true}) {
    for (const Dropout& dropout : {kept, dropped}) {
      Doubles doubles;
      Ops& ops = doubles.ops();
      const OwnBatch batch({1, 2, 5}, shape, 1);
      const Attention how{heads, first_only, dropout};
      const int64_t tokens = batch.ids.size(), queries = first_only ? 3 : tokens;
      const View q = doubles.drawn(queries, dim), kv = doubles.drawn(tokens, 2 * dim);
      const View k = kv.columns(0, dim), v = kv.columns(dim, dim);
      const View out = doubles.zeros(queries, dim), lse = doubles.zeros(heads, queries);
      const View dout = doubles.drawn(queries, dim);
      const View dq = doubles.zeros(queries, dim), dkv = doubles.zeros(tokens, 2 * dim);
      const View dk = dkv.columns(0, dim), dv = dkv.columns(dim, dim);
      const auto forward = [&] {
        ops.attention(batch.rows(), how, q, k, v, out, lse);
        return weighted(out, dout);
      };
      forward();
      ops.attention_backward(batch.rows(), how, q, k, v, out, lse, dout, dq, dk, dv);
      check_slopes("dq", q, dq, forward);
      check_slopes("dk", k, dk, forward);
      check_slopes("dv", v, dv, forward);
    }
  }
}

}  // namespace
}  // namespace distiltune::engine::test

MAIN
