#include "kernels/gemm_bf16.h"

#include <cfloat>

#include "kernels/bf16.h"
#include "kernels/gemm.h"
#include "kernels/inner_bf16.h"
#include "kernels/packed_linear.h"
#include "kernels/test/products.h"
#include "kernels/test/twins.h"

using namespace distiltune::kernels;
using namespace distiltune::kernels::test;

namespace {

float rounded(float value) { return first_of(word(value, 0)); }
std::vector<float> rounded(std::vector<float> values) {
  for (float& value : values) value = rounded(value);
  return values;
}

/** The results of the instruction sets one after the other; of the same bits, whatever the set: sums of a row
 * and column are added in one order, and values of this size are never flushed to zero. */
class Same {
 public:
  void operator()(const std::vector<float>& result) {
    if (first_.empty()) first_ = result;
    CHECK(same_bits(first_, result));
  }

 private:
  std::vector<float> first_;
};

}  // namespace

CASE("bfloat16 is the nearest, ties to even, and keeps infinities and what is not a number") {
  const auto half = [](uint32_t bits) { return to_bf16(from_bits(bits)); };
  CHECK(half(0x3f800000) == 0x3f80 && half(0x3f807fff) == 0x3f80 && half(0x3f808001) == 0x3f81);
  CHECK(half(0x3f808000) == 0x3f80 && half(0x3f818000) == 0x3f82 && half(0xbf818000) == 0xbf82);
  CHECK(half(0x7f7fffff) == 0x7f80 && half(0x7f800000) == 0x7f80 && half(0xff800000) == 0xff80);
  CHECK(half(0x7f800001) == 0x7fc0 && half(0xffffffff) == 0xffff && half(0x80000000) == 0x8000);
  const float odd[] = {from_bits(0x3f808000),
                       from_bits(0x7f800001),
                       -0.0f,
                       1.0f,
                       HUGE_VALF,
                       from_bits(0xbf818000),
                       from_bits(0x3f807fff),
                       3e38f,
                       -1e-30f,
                       0.1f,
                       from_bits(0xffffffff),
                       -HUGE_VALF,
                       FLT_MAX,
                       -FLT_MAX,
                       FLT_MIN,
                       1.0f / 3,
                       -2.0f / 3,
                       from_bits(0x3f7fffff)};
  std::vector<float> row;
  for (int i = 0; i < 5; ++i) row.insert(row.end(), std::begin(odd), std::end(odd));
  for (int64_t n = 1; n <= static_cast<int64_t>(row.size()); ++n) {
    std::vector<uint32_t> expected;
    for (int64_t i = 0; i < n; i += 2) expected.push_back(word(row[i], i + 1 < n ? row[i + 1] : 0));
    expected.push_back(7);
    on_every_bf16_isa([&] {
      std::vector<uint32_t> words(expected.size(), 7);
      inner_bf16().words(row.data(), n, words.data());
      CHECK(words == expected);
    });
  }
}

CASE(
    "linear, packed or not, equals a double loop over rounded operands, with the same bits on every "
    "instruction set") {
  ThreadPool pool(2);
  for (const Sizes& s : sizes) {
    const int64_t x_stride = s.k + 3, y_stride = s.n + 5;
    const auto x = random_values(s.m * x_stride, 1), w = random_values(s.n * s.k, 2),
               bias = random_values(s.n, 3);
    for (const float* b : {bias.data(), static_cast<const float*>(nullptr)}) {
      const auto expected = product(s, rounded(x), x_stride, rounded(w), b);
      Same same;
      on_every_bf16_isa([&] {
        std::vector<float> y(s.m * y_stride, 7), packed_y(s.m * y_stride, 7);
        linear_bf16(pool, x.data(), x_stride, w.data(), b, y.data(), y_stride, s.m, s.n, s.k);
        CHECK_NEAR(distance(rows_of(y, s.m, s.n, y_stride), expected), 0, tolerance(s.k));
        same(y);
        if (!b) return;
        const Aligned packed(Bf16Linear::bytes(s.n, s.k));
        Bf16Linear::pack(w.data(), b, s.n, s.k, packed.data());
        Bf16Rows rows;
        rows.set(pool, x.data(), x_stride, s.m, s.k);
        Bf16Linear(packed.data(), s.n, s.k)
            .apply(pool, rows.words(), rows.stride(), packed_y.data(), y_stride, s.m);
        CHECK(same_bits(y, packed_y));
      });
    }
  }
}

CASE("linear_backward_input equals a double loop over rounded operands, overwriting and adding") {
  ThreadPool pool(2);
  for (const Sizes& s : sizes) {
    const int64_t dy_stride = s.n + 2, dx_stride = s.k + 1;
    const auto dy = random_values(s.m * dy_stride, 4), w = random_values(s.n * s.k, 5),
               before = random_values(s.m * s.k, 6);
    for (bool accumulate : {false, true}) {
      const auto expected =
          input_gradient(s, rounded(dy), dy_stride, rounded(w), accumulate ? before.data() : nullptr);
      Same same;
      on_every_bf16_isa([&] {
        std::vector<float> dx(s.m * dx_stride, 7);
        for (int64_t i = 0; i < s.m * s.k; ++i) dx[i / s.k * dx_stride + i % s.k] = before[i];
        linear_backward_input_bf16(pool, dy.data(), dy_stride, w.data(), dx.data(), dx_stride, s.m, s.n, s.k,
                                   accumulate);
        CHECK_NEAR(distance(rows_of(dx, s.m, s.k, dx_stride), expected), 0, tolerance(s.n));
        same(dx);
      });
    }
  }
}

CASE(
    "linear_backward_weight adds or writes what a double loop over rounded operands gives, the bias "
    "unrounded") {
  ThreadPool pool(2);
  for (const Sizes& s : sizes) {
    const int64_t dy_stride = s.n + 4, x_stride = s.k + 6;
    const auto dy = random_values(s.m * dy_stride, 7), x = random_values(s.m * x_stride, 8);
    const auto dw0 = random_values(s.n * s.k, 9), db0 = random_values(s.n, 10);
    const auto dw_expected = weight_gradient(s, rounded(dy), dy_stride, rounded(x), x_stride, dw0);
    const auto db_expected = bias_gradient(s, dy, dy_stride, db0);
    Same same_weights, same_biases;
    on_every_bf16_isa([&] {
      auto dw = dw0, db = db0, without = dw0;
      linear_backward_weight_bf16(pool, dy.data(), dy_stride, x.data(), x_stride, dw.data(), db.data(), s.m,
                                  s.n, s.k, true);
      CHECK_NEAR(distance(dw, dw_expected), 0, tolerance(s.m));
      CHECK_NEAR(distance(db, db_expected), 0, tolerance(s.m));
      same_weights(dw);
      same_biases(db);
      linear_backward_weight_bf16(pool, dy.data(), dy_stride, x.data(), x_stride, without.data(), nullptr,
                                  s.m, s.n, s.k, true);
      CHECK(same_bits(dw, without));
      std::vector<float> zeros(s.n * s.k), over(s.n * s.k, 7), over_bias(s.n, 7);
      linear_backward_weight_bf16(pool, dy.data(), dy_stride, x.data(), x_stride, zeros.data(), nullptr, s.m,
                                  s.n, s.k, true);
      linear_backward_weight_bf16(pool, dy.data(), dy_stride, x.data(), x_stride, over.data(),
                                  over_bias.data(), s.m, s.n, s.k, false);
      for (size_t i = 0; i < zeros.size(); ++i) CHECK(over[i] == zeros[i]);  // 0 and -0 are one here
      CHECK_NEAR(distance(over_bias, bias_gradient(s, dy, dy_stride, std::vector<float>(s.n))), 0,
                 tolerance(s.m));
    });
  }
}

CASE("operands that bfloat16 holds give what products of floats give") {
  ThreadPool pool(2);
  const Sizes s{70, 130, 199};
  const auto x = rounded(random_values(s.m * s.k, 17)), w = rounded(random_values(s.n * s.k, 18));
  std::vector<float> floats(s.m * s.n);
  linear(pool, x.data(), s.k, w.data(), nullptr, floats.data(), s.n, s.m, s.n, s.k);
  const std::vector<double> expected(floats.begin(), floats.end());
  on_every_bf16_isa([&] {
    std::vector<float> y(s.m * s.n);
    linear_bf16(pool, x.data(), s.k, w.data(), nullptr, y.data(), s.n, s.m, s.n, s.k);
    CHECK_NEAR(distance(y, expected), 0, tolerance(s.k));
  });
}

CASE("a packed layer stays within the roundings of its operands from products of floats") {
  ThreadPool pool(2);
  for (const Sizes& s : {Sizes{7, 130, 770}, {385, 97, 13}, {6, 5, 1}}) {
    const auto x = random_values(s.m * s.k, 21), w = random_values(s.n * s.k, 22),
               bias = random_values(s.n, 23);
    const auto exact = product(s, x, s.k, w, bias.data());
    on_every_bf16_isa([&] {
      const Aligned packed(Bf16Linear::bytes(s.n, s.k));
      Bf16Linear::pack(w.data(), bias.data(), s.n, s.k, packed.data());
      Bf16Rows rows;
      rows.set(pool, random_values(2 * s.m * s.k, 24).data(), s.k, 2 * s.m, s.k);  // longer rows before
      rows.set(pool, x.data(), s.k, s.m, s.k);
      std::vector<float> y(s.m * s.n);
      Bf16Linear(packed.data(), s.n, s.k).apply(pool, rows.words(), rows.stride(), y.data(), s.n, s.m);
      for (int64_t i = 0; i < s.m * s.n; ++i) {
        double sizes_sum = 0;
        for (int64_t p = 0; p < s.k; ++p)
          sizes_sum += std::fabs(static_cast<double>(x[i / s.n * s.k + p]) * w[i % s.n * s.k + p]);
        // Each operand keeps 8 bits, so it is off by a 2^-8th of itself at most; sums of floats beside that.
        CHECK_NEAR(y[i], exact[i], sizes_sum * (0x1p-7 + 0x1p-16 + 1e-5) + 1e-6);
      }
    });
  }
}

CASE("what follows a packed layer is computed on its sums") {
  ThreadPool pool(1);
  const int64_t m = 5, n = 70, k = 33;
  const auto x = random_values(m * k, 25), w = random_values(n * k, 26), bias = random_values(n, 27);
  on_every_bf16_isa([&] {
    const Aligned packed(Bf16Linear::bytes(n, k));
    Bf16Linear::pack(w.data(), bias.data(), n, k, packed.data());
    Bf16Rows rows;
    rows.set(pool, x.data(), k, m, k);
    std::vector<float> y(m * n), over(m * n);
    const Bf16Linear layer(packed.data(), n, k);
    layer.apply(pool, rows.words(), rows.stride(), y.data(), n, m);
    layer.apply(pool, rows.words(), rows.stride(), over.data(), n, m, After::relu);
    for (int64_t i = 0; i < m * n; ++i) CHECK(over[i] == std::fmax(y[i], 0.0f));
  });
}

CASE("1, 2 and 4 threads give the same bits in all three products of bfloat16") {
  const Sizes s{601, 200, 781};
  const auto x = random_values(s.m * s.k, 11), w = random_values(s.n * s.k, 12),
             dy = random_values(s.m * s.n, 13);
  on_every_bf16_isa([&] {
    Same same_y, same_dx, same_dw, same_packed;
    const Aligned packed(Bf16Linear::bytes(s.n, s.k));
    Bf16Linear::pack(w.data(), random_values(s.n, 14).data(), s.n, s.k, packed.data());
    for (int threads : {1, 2, 4}) {
      ThreadPool pool(threads);
      std::vector<float> y(s.m * s.n), dx(s.m * s.k), dw(s.n * s.k);
      linear_bf16(pool, x.data(), s.k, w.data(), nullptr, y.data(), s.n, s.m, s.n, s.k);
      linear_backward_input_bf16(pool, dy.data(), s.n, w.data(), dx.data(), s.k, s.m, s.n, s.k, false);
      linear_backward_weight_bf16(pool, dy.data(), s.n, x.data(), s.k, dw.data(), nullptr, s.m, s.n, s.k,
                                  true);
      same_y(y);
      same_dx(dx);
      same_dw(dw);
      Bf16Rows rows;
      rows.set(pool, x.data(), s.k, s.m, s.k);
      Bf16Linear(packed.data(), s.n, s.k).apply(pool, rows.words(), rows.stride(), y.data(), s.n, s.m);
      same_packed(y);
      Bf16Linear(packed.data(), s.n, s.k)
          .apply(pool, rows.words() + 400 * rows.stride(), rows.stride(), y.data() + 400 * s.n, s.n, 1);
      same_packed(y);  // of a row alone too
    }
  });
}

CASE("a row alone gets the bits of bfloat16 it gets at every place of a batch") {
  ThreadPool pool(2);
  const int64_t n = 70, k = 1601;  // two blocks of the depth, the last word half empty
  on_every_bf16_isa([&] { row_alone(pool, linear_bf16, linear_backward_input_bf16, n, k); });
}

CASE("what is not a number stays in its row") {
  ThreadPool pool(1);
  const int64_t m = 4, n = 20, k = 33;
  auto x = random_values(m * k, 19);
  const auto w = random_values(n * k, 20);
  x[k + 32] = NAN;
  x[2 * k] = HUGE_VALF;
  on_every_bf16_isa([&] {
    std::vector<float> y(m * n);
    linear_bf16(pool, x.data(), k, w.data(), nullptr, y.data(), n, m, n, k);
    for (int64_t i = 0; i < m * n; ++i) CHECK(std::isfinite(y[i]) == (i / n == 0 || i / n == 3));
  });
}

MAIN
