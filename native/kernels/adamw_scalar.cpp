#include <cmath>

#include "inner_scalar.h"

namespace distiltune::kernels::scalar {

void adamw(const AdamWScalars& scalars, float* parameter, float* moment1, float* moment2,
           const float* gradient, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    const float g = gradient ? gradient[i] * scalars.gradient_scale : 0;
    const float m = moment1[i] * scalars.beta1 + g * scalars.one_minus_beta1;
    const float v = moment2[i] * scalars.beta2 + g * g * scalars.one_minus_beta2;
    const float denominator = std::sqrt(v) / scalars.root_correction2 + scalars.epsilon;
    const float p = parameter[i] * scalars.decay + scalars.minus_step_size * m / denominator;
    parameter[i] = p + p * scalars.minus_late_decay;
    moment1[i] = m;
    moment2[i] = v;
  }
}

void adamw_late(const AdamWScalars* scalars, int64_t count, float* parameter, float* moment1, float* moment2,
                int64_t n) {
  for (int64_t step = 0; step < count; ++step) adamw(scalars[step], parameter, moment1, moment2, nullptr, n);
}

double sum_of_squares(const float* values, int64_t n) {
  double total = 0;
  for (int64_t i = 0; i < n; ++i) total += static_cast<double>(values[i]) * values[i];
  return total;
}

}  // namespace distiltune::kernels::scalar
