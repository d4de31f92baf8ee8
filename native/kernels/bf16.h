#pragma once
#include <cstdint>
#include <cstring>

namespace distiltune::kernels {

// bfloat16 is the upper half of a float. A word holds two of them that are neighbours along the depth of a
// product, the first in its lower half; after an odd depth the last upper half is zero.

/** Rounded to the nearest, ties to even; not a number stays so. */
inline uint32_t to_bf16(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  if ((bits & 0x7fffffff) > 0x7f800000) return bits >> 16 | 0x40;
  return (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
}

inline uint32_t word(float first, float second) { return to_bf16(second) << 16 | to_bf16(first); }

inline float from_bits(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}
inline float first_of(uint32_t word) { return from_bits(word << 16); }
inline float second_of(uint32_t word) { return from_bits(word & 0xffff0000); }

}  // namespace distiltune::kernels
