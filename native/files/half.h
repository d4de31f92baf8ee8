#pragma once
#include <cstdint>
#include <cstring>

namespace distiltune::files {

inline float float_of_bits(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

/** bfloat16 is the upper half of a float. */
inline float bfloat_to_float(uint16_t b) { return float_of_bits(static_cast<uint32_t>(b) << 16); }

/** IEEE 754 binary16 to binary32, exactly; NaN payloads are kept. */
inline float half_to_float(uint16_t h) {
  const uint32_t sign = static_cast<uint32_t>(h & 0x8000) << 16;
  const uint32_t exponent = h >> 10 & 0x1F;
  const uint32_t fraction = h & 0x3FF;
  if (exponent == 0x1F) return float_of_bits(sign | 0x7F800000 | fraction << 13);
  if (exponent != 0) return float_of_bits(sign | (exponent + 112) << 23 | fraction << 13);
  const float magnitude = static_cast<float>(fraction) * 0x1p-24f;  // zero and subnormals
  return sign ? -magnitude : magnitude;
}

}  // namespace distiltune::files
