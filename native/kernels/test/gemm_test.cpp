#include "kernels/gemm.h"

#include "kernels/packed_linear.h"
#include "kernels/test/products.h"
#include "kernels/test/twins.h"

using namespace distiltune::kernels;
using namespace distiltune::kernels::test;

CASE("linear, packed or not, equals a double loop for awkward sizes and strides") {
  ThreadPool pool(2);
  for (const Sizes& s : sizes) {
    const int64_t x_stride = s.k + 3, y_stride = s.n + 5;
    const auto x = random_values(s.m * x_stride, 1), w = random_values(s.n * s.k, 2),
               bias = random_values(s.n, 3);
    for (const float* b : {bias.data(), static_cast<const float*>(nullptr)}) {
      const auto expected = product(s, x, x_stride, w, b);
      on_every_isa([&] {
        std::vector<float> y(s.m * y_stride, 7), packed_y(s.m * y_stride, 7);
        linear(pool, x.data(), x_stride, w.data(), b, y.data(), y_stride, s.m, s.n, s.k);
        CHECK_NEAR(distance(rows_of(y, s.m, s.n, y_stride), expected), 0, tolerance(s.k));
        if (!b) return;
        const Aligned packed(FloatLinear::bytes(s.n, s.k));
        FloatLinear::pack(w.data(), b, s.n, s.k, packed.data());
        FloatLinear(packed.data(), s.n, s.k).apply(pool, x.data(), x_stride, packed_y.data(), y_stride, s.m);
        CHECK(same_bits(y, packed_y));
      });
    }
  }
}

CASE("linear_backward_input equals a double loop, overwriting and adding") {
  ThreadPool pool(2);
  for (const Sizes& s : sizes) {
    const int64_t dy_stride = s.n + 2, dx_stride = s.k + 1;
    const auto dy = random_values(s.m * dy_stride, 4), w = random_values(s.n * s.k, 5),
               before = random_values(s.m * s.k, 6);
    for (bool accumulate : {false, true}) {
      const auto expected = input_gradient(s, dy, dy_stride, w, accumulate ? before.data() : nullptr);
      on_every_isa([&] {
        std::vector<float> dx(s.m * dx_stride, 7);
        for (int64_t i = 0; i < s.m * s.k; ++i) dx[i / s.k * dx_stride + i % s.k] = before[i];
        linear_backward_input(pool, dy.data(), dy_stride, w.data(), dx.data(), dx_stride, s.m, s.n, s.k,
                              accumulate);
        CHECK_NEAR(distance(rows_of(dx, s.m, s.k, dx_stride), expected), 0, tolerance(s.n));
      });
    }
  }
}

CASE("linear_backward_weight adds what a double loop adds, with and without bias") {
  ThreadPool pool(2);
  for (const Sizes& s : sizes) {
    const int64_t dy_stride = s.n + 4, x_stride = s.k + 6;
    const auto dy = random_values(s.m * dy_stride, 7), x = random_values(s.m * x_stride, 8);
    const auto dw0 = random_values(s.n * s.k, 9), db0 = random_values(s.n, 10);
    const auto dw_expected = weight_gradient(s, dy, dy_stride, x, x_stride, dw0);
    const auto db_expected = bias_gradient(s, dy, dy_stride, db0);
    on_every_isa([&] {
      auto dw = dw0, db = db0, without = dw0;
      linear_backward_weight(pool, dy.data(), dy_stride, x.data(), x_stride, dw.data(), db.data(), s.m, s.n,
                             s.k, true);
      CHECK_NEAR(distance(dw, dw_expected), 0, tolerance(s.m));
      CHECK_NEAR(distance(db, db_expected), 0, tolerance(s.m));
      linear_backward_weight(pool, dy.data(), dy_stride, x.data(), x_stride, without.data(), nullptr, s.m,
                             s.n, s.k, true);
      CHECK(same_bits(dw, without));
      std::vector<float> zeros(s.n * s.k), zero_bias(s.n), over(s.n * s.k, 7), over_bias(s.n, 7);
      linear_backward_weight(pool, dy.data(), dy_stride, x.data(), x_stride, zeros.data(), zero_bias.data(),
                             s.m, s.n, s.k, true);
      linear_backward_weight(pool, dy.data(), dy_stride, x.data(), x_stride, over.data(), over_bias.data(),
                             s.m, s.n, s.k, false);
      for (size_t i = 0; i < zeros.size(); ++i) CHECK(over[i] == zeros[i]);  // 0 and -0 are one here
      CHECK(same_bits(over_bias, zero_bias));
    });
  }
}

CASE("gradients of weights have the same bits where whole vectors go past the caches") {
  ThreadPool pool(2);
  for (const Sizes& s : {Sizes{7, 13, 64}, Sizes{65, 100, 208}, Sizes{30, 6, 72}, Sizes{700, 9, 32}}) {
    const auto dy = random_values(s.m * s.n, 31), x = random_values(s.m * s.k, 32);
    const int64_t count = s.n * s.k;
    on_every_isa([&] {
      const Aligned memory((count + 1) * sizeof(float));
      auto* whole = static_cast<float*>(memory.data());
      std::vector<float> results[2];
      for (int64_t shift : {0, 1}) {  // after the shift no vector is whole
        std::fill_n(whole, count + 1, 7.0f);
        linear_backward_weight(pool, dy.data(), s.n, x.data(), s.k, whole + shift, nullptr, s.m, s.n, s.k,
                               false);
        results[shift].assign(whole + shift, whole + shift + count);
      }
      CHECK(same_bits(results[0], results[1]));
    });
  }
}

CASE("1, 2 and 4 threads give the same bits in all three products") {
  const Sizes s{601, 200, 780};
  const auto x = random_values(s.m * s.k, 11), w = random_values(s.n * s.k, 12),
             dy = random_values(s.m * s.n, 13);
  on_every_isa([&] {
    std::vector<float> results[3];
    for (int round = 0; round < 3; ++round) {
      ThreadPool pool(1 << round);
      std::vector<float> y(s.m * s.n), dx(s.m * s.k), dw(s.n * s.k), db(s.n);
      linear(pool, x.data(), s.k, w.data(), nullptr, y.data(), s.n, s.m, s.n, s.k);
      linear_backward_input(pool, dy.data(), s.n, w.data(), dx.data(), s.k, s.m, s.n, s.k, false);
      linear_backward_weight(pool, dy.data(), s.n, x.data(), s.k, dw.data(), db.data(), s.m, s.n, s.k, true);
      for (const auto& part : {y, dx, dw, db})
        results[round].insert(results[round].end(), part.begin(), part.end());
    }
    CHECK(same_bits(results[0], results[1]));
    CHECK(same_bits(results[0], results[2]));
  });
}

CASE("a row alone gets the bits it gets at every place of a batch") {
  ThreadPool pool(2);
  on_every_isa([&] { row_alone(pool, linear, linear_backward_input, 130, 1541); });
}

MAIN
