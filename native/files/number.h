#pragma once
#include <cstddef>
#include <cstdint>
#include <limits>

namespace distiltune::files {

/** An unsigned number of `size` bytes, at most 8, the lowest first. */
inline uint64_t little_endian(const unsigned char* bytes, size_t size) {
  uint64_t value = 0;
  for (size_t i = size; i-- > 0;) value = value << 8 | bytes[i];
  return value;
}

/** *product = a * b; false where that is beyond 2^64 - 1. */
inline bool multiply(uint64_t a, uint64_t b, uint64_t* product) {
  if (b != 0 && a > std::numeric_limits<uint64_t>::max() / b) return false;
  *product = a * b;
  return true;
}

/** *sum = a + b; false where that is beyond 2^64 - 1. */
inline bool add(uint64_t a, uint64_t b, uint64_t* sum) {
  *sum = a + b;
  return *sum >= a;
}

}  // namespace distiltune::files
