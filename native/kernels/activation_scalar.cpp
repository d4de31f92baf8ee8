#include <cmath>

#include "inner_scalar.h"

namespace distiltune::kernels::scalar {

constexpr float sqrt_half = 0.70710678118654752f, inverse_sqrt_two_pi = 0.39894228040143268f;

void gelu(const float* x, float* y, int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i] = x[i] * 0.5f * std::erfc(-x[i] * sqrt_half);
}

void gelu_backward(const float* x, const float* dy, float* dx, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    const float cdf = 0.5f * std::erfc(-x[i] * sqrt_half),
                pdf = std::exp(-0.5f * x[i] * x[i]) * inverse_sqrt_two_pi;
    dx[i] = dy[i] * (cdf + x[i] * pdf);
  }
}

void relu(const float* x, float* y, int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i] = x[i] < 0 ? 0 : x[i];
}

}  // namespace distiltune::kernels::scalar
