#include <cmath>

#include "inner_scalar.h"

namespace distiltune::kernels::scalar {

void layer_norm(const float* x, const DropoutDraws& draws, const float* residual, const float* gamma,
                const float* beta, float* sum, float* y, int64_t dim, float eps, float* mean, float* rstd) {
  double total = 0;
  for (int64_t i = 0; i < dim; ++i) {
    const float kept = draws.draws && draws.draws[i] < draws.threshold ? 0 : x[i] * draws.scale;
    sum[i] = residual ? kept + residual[i] : kept;
    total += sum[i];
  }
  *mean = static_cast<float>(total / dim);
  double squares = 0;
  for (int64_t i = 0; i < dim; ++i) squares += (sum[i] - *mean) * (sum[i] - *mean);
  *rstd = static_cast<float>(1 / std::sqrt(squares / dim + eps));
  for (int64_t i = 0; i < dim; ++i) y[i] = (sum[i] - *mean) * *rstd * gamma[i] + beta[i];
}

void layer_norm_backward(const float* dy, const float* sum, float mean, float rstd, const float* gamma,
                         float* dsum, float* dgamma, float* dbeta, int64_t dim) {
  double total = 0, projection = 0;
  for (int64_t i = 0; i < dim; ++i) {
    const float normalised = (sum[i] - mean) * rstd, gradient = dy[i] * gamma[i];
    dgamma[i] += dy[i] * normalised;
    dbeta[i] += dy[i];
    total += gradient;
    projection += gradient * normalised;
  }
  const auto shift = static_cast<float>(total / dim), slope = static_cast<float>(projection / dim);
  for (int64_t i = 0; i < dim; ++i) {
    dsum[i] = rstd * (dy[i] * gamma[i] - shift - (sum[i] - mean) * rstd * slope);
  }
}

}  // namespace distiltune::kernels::scalar
