#include "kernels/activation.h"

#include "kernels/test/twins.h"

using namespace distiltune::kernels;
using namespace distiltune::kernels::test;

namespace {

double cdf(double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); }
double pdf(double x) { return std::exp(-0.5 * x * x) / std::sqrt(2 * 3.14159265358979323846); }

std::vector<float> from_minus_to_plus(float limit, int64_t n) {
  std::vector<float> values(n);
  for (int64_t i = 0; i < n; ++i)
    values[i] = limit * (2 * static_cast<float>(i) / static_cast<float>(n - 1) - 1);
  return values;
}

}  // namespace

CASE("gelu's cdf is the erf form's within 1.5e-7") {
  ThreadPool pool(2);
  const auto x = from_minus_to_plus(12, 100003);
  on_every_isa([&] {
    std::vector<float> y(x.size());
    gelu(pool, x.data(), y.data(), static_cast<int64_t>(x.size()));
    for (size_t i = 0; i < x.size(); ++i) CHECK_NEAR(y[i], x[i] * cdf(x[i]), 1.5e-7 * std::fabs(x[i]));
  });
}

CASE("gelu_backward is the derivative of the erf form within 2.5e-7 of its size") {
  ThreadPool pool(2);
  const auto x = from_minus_to_plus(12, 100003), dy = random_values(100003, 31);
  on_every_isa([&] {
    auto dx = dy;  // in place
    gelu_backward(pool, x.data(), dx.data(), dx.data(), static_cast<int64_t>(x.size()));
    for (size_t i = 0; i < x.size(); ++i) {
      CHECK_NEAR(dx[i], dy[i] * (cdf(x[i]) + x[i] * pdf(x[i])), 2.5e-7 * std::fabs(dy[i]));
    }
  });
}

CASE("gelu of values beyond any exponential tends to 0 or the value, in every remainder of a vector") {
  ThreadPool pool(1);
  on_every_isa([&] {
    for (int64_t n = 1; n <= 40; ++n) {
      std::vector<float> x(n + 1, 7);
      for (int64_t i = 0; i < n; ++i) x[i] = i % 2 ? 1e20f : -1e20f;
      std::vector<float> y = x, dx(n + 1, 7);
      gelu(pool, x.data(), y.data(), n);
      gelu_backward(pool, x.data(), x.data(), dx.data(), n);
      for (int64_t i = 0; i < n; ++i) {
        CHECK_NEAR(y[i], i % 2 ? 1e20f : 0, 1);
        CHECK_NEAR(dx[i], i % 2 ? 1e20f : 0, 100);
      }
      CHECK(y[n] == 7 && dx[n] == 7);
    }
  });
}

CASE("a not-a-number passes through gelu and its gradient") {
  ThreadPool pool(1);
  on_every_isa([&] {
    std::vector<float> x(33, 1), y(33), dx(33);
    x[5] = x[32] = NAN;
    gelu(pool, x.data(), y.data(), 33);
    gelu_backward(pool, x.data(), x.data(), dx.data(), 33);
    for (int i = 0; i < 33; ++i)
      CHECK(std::isnan(y[i]) == (i == 5 || i == 32) && std::isnan(dx[i]) == (i == 5 || i == 32));
  });
}

CASE("a not-a-number passes through relu") {
  ThreadPool pool(1);
  float x[] = {1, NAN, -1};
  relu(pool, x, x, 3);
  CHECK(x[0] == 1 && std::isnan(x[1]) && x[2] == 0);
}

CASE("relu and its gradient cut at zero, in place too") {
  ThreadPool pool(2);
  std::vector<float> x = random_values(40001, 32);
  x[3] = 0;
  const auto dy = random_values(40001, 33);
  std::vector<float> y = x, dx = dy;
  relu(pool, y.data(), y.data(), 40001);
  relu_backward(pool, x.data(), dx.data(), dx.data(), 40001);
  for (size_t i = 0; i < x.size(); ++i) {
    CHECK(y[i] == (x[i] > 0 ? x[i] : 0));
    CHECK(dx[i] == (x[i] > 0 ? dy[i] : 0));
  }
}

MAIN
