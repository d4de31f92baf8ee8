#pragma once
#include <immintrin.h>

#include <cstring>

#include "inner_int8.h"

// What products of bytes in registers of 32 share. Internal linkage for the reason given in vector_avx512.h.

namespace distiltune::kernels {
namespace {

inline __m256i four_bytes(const uint8_t* from) {
  int value;
  std::memcpy(&value, from, 4);
  return _mm256_set1_epi32(value);
}

/** Stores the results of the sums of 8 columns from `column` on, of which `columns` are there, 1 or more. */
inline void store(__m256i total, const Int8Scales& scales, int64_t row, int64_t column, float* y,
                  int64_t columns) {
  const __m256i zero = _mm256_set1_epi32(scales.zeros[row]);
  const __m256i sums = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(scales.column_sums + column));
  const __m256 exact = _mm256_cvtepi32_ps(_mm256_sub_epi32(total, _mm256_mullo_epi32(zero, sums)));
  const __m256 scale =
      _mm256_mul_ps(_mm256_set1_ps(scales.row_scales[row]), _mm256_loadu_ps(scales.column_scales + column));
  const __m256 result = _mm256_add_ps(_mm256_mul_ps(exact, scale), _mm256_loadu_ps(scales.bias + column));
  if (columns >= 8) return _mm256_storeu_ps(y, result);
  float lanes[8];
  _mm256_storeu_ps(lanes, result);
  std::memcpy(y, lanes, static_cast<size_t>(columns) * sizeof(float));
}

}  // namespace
}  // namespace distiltune::kernels
