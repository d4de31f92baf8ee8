#include <algorithm>
#include <cmath>

#include "inner_scalar.h"
#include "quantised_range.h"

namespace distiltune::kernels::scalar {

void quantise(const float* x, int64_t n, int64_t padded, uint8_t* q, float* scale, int32_t* zero) {
  float low = 0, high = 0, difference = 0;
  for (int64_t i = 0; i < n; ++i) {
    low = std::min(low, x[i]);
    high = std::max(high, x[i]);
    difference += x[i] - x[i];
  }
  const QuantisedRange range = quantised_range(low, high, difference);
  for (int64_t i = 0; i < padded; ++i) {
    const float whole = std::nearbyint((i < n ? x[i] : 0) * range.inverse) + static_cast<float>(range.zero);
    q[i] = static_cast<uint8_t>(whole > 0 ? std::min(whole, quantised_most) : 0);
  }
  *scale = range.scale;
  *zero = range.zero;
}

}  // namespace distiltune::kernels::scalar
