#pragma once
#include <cmath>
#include <cstdint>

namespace distiltune::kernels {

// Activations have 7 bits: a product with weights of 8 can then be summed eight times in 16 bits
// (gemm_int8.h).
inline constexpr float quantised_most = 127;

/** How the numbers of a row become whole ones from 0 to 127: x ~ scale * (q - zero). */
struct QuantisedRange {
  float scale, inverse;
  int32_t zero;
};

/** Of a row between low <= 0 and high >= 0. `difference`: 0, or not a number where the row holds what is not
 * finite; the scale is then none either, and with it whatever is computed from the row. */
static inline QuantisedRange quantised_range(float low, float high, float difference) {
  const float range = high - low;
  // Below and above, the inverse or the range is infinite: all numbers count as 0, or the difference tells.
  const bool usable = range > 1e-30f && range < 1e38f;
  const float inverse = usable ? quantised_most / range : 0;
  return {range / quantised_most + difference, inverse,
          usable ? static_cast<int32_t>(std::nearbyint(-low * inverse)) : 0};
}

}  // namespace distiltune::kernels
