#include <algorithm>
#include <cmath>

#include "inner_scalar.h"

namespace distiltune::kernels::scalar {

void exponentials(float* s, int64_t n, int64_t padded, float scale, float* max, float* sum) {
  *max = *std::max_element(s, s + n) * scale;
  *sum = 0;
  for (int64_t i = 0; i < n; ++i) *sum += s[i] = std::exp(s[i] * scale - *max);
  std::fill(s + n, s + padded, 0.0f);
}

void attention_gradient(float* p, float* dp, const DropoutDraws& draws, int64_t n, int64_t padded,
                        float scale, float lse, float delta) {
  for (int64_t i = 0; i < n; ++i) {
    const float probability = std::exp(p[i] * scale - lse);
    const float kept = draws.draws && draws.draws[i] < draws.threshold ? 0 : draws.scale;
    p[i] = probability * kept;
    dp[i] = probability * (dp[i] * kept - delta) * scale;
  }
  std::fill(p + n, p + padded, 0.0f);
  std::fill(dp + n, dp + padded, 0.0f);
}

}  // namespace distiltune::kernels::scalar
