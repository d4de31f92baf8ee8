#pragma once
#include <immintrin.h>

#include <cstring>

#include "inner_int8.h"
#include "noinline.h"

// Products of bytes in registers of 32; included after `dot` was spelt: sums of 16 products of each of 8
// columns, from four vectors of 4 of them. Internal linkage for the reason given in vector_avx512.h.

namespace distiltune::kernels {
namespace {

constexpr int64_t panel_columns = 16;  // two vectors
constexpr int64_t tile_rows = 4;

inline __m256i four_bytes(const uint8_t* from) {
  int value;
  std::memcpy(&value, from, 4);
  return _mm256_set1_epi32(value);
}

inline __m256 scaled(__m256i total, __m256i zero, __m256 row_scale, const Int8Scales& scales,
                     int64_t column) {
  const __m256i sums = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(scales.column_sums + column));
  const __m256 exact = _mm256_cvtepi32_ps(_mm256_sub_epi32(total, _mm256_mullo_epi32(zero, sums)));
  const __m256 scale = _mm256_mul_ps(row_scale, _mm256_loadu_ps(scales.column_scales + column));
  return _mm256_add_ps(_mm256_mul_ps(exact, scale), _mm256_loadu_ps(scales.bias + column));
}

template <int rows>
DISTILTUNE_NOINLINE void tile(const uint8_t* a, int64_t a_stride, const int8_t* packed, int64_t depth,
                              const Int8Scales& scales, int64_t row, int64_t column, float* y,
                              int64_t y_stride, int64_t columns) {
  __m256i total[rows][2];
  for (int r = 0; r < rows; ++r) total[r][0] = total[r][1] = _mm256_setzero_si256();
  const auto* w = reinterpret_cast<const __m256i*>(packed);
  for (int64_t p = 0; p < depth; p += 16, w += 8) {
    for (int r = 0; r < rows; ++r) {
      const uint8_t* left = a + r * a_stride + p;
      const __m256i four[4] = {four_bytes(left), four_bytes(left + 4), four_bytes(left + 8),
                               four_bytes(left + 12)};
      total[r][0] = dot(total[r][0], four, w);
      total[r][1] = dot(total[r][1], four, w + 1);
    }
  }
  for (int r = 0; r < rows; ++r) {
    const __m256i zero = _mm256_set1_epi32(scales.zeros[row + r]);
    const __m256 row_scale = _mm256_set1_ps(scales.row_scales[row + r]);
    for (int v = 0; v < 2; ++v) {
      const __m256 result = scaled(total[r][v], zero, row_scale, scales, column + 8 * v);
      float* to = y + r * y_stride + 8 * v;
      const int64_t left = columns - 8 * v;
      if (left >= 8) {
        _mm256_storeu_ps(to, result);
      } else if (left > 0) {
        float lanes[8];
        _mm256_storeu_ps(lanes, result);
        for (int64_t i = 0; i < left; ++i) to[i] = lanes[i];
      }
    }
  }
}

void multiply(const uint8_t* a, int64_t a_stride, const int8_t* packed, const Int8Scales& scales, float* y,
              int64_t y_stride, int64_t rows, int64_t columns, int64_t depth) {
  constexpr decltype(&tile<1>) tiles[tile_rows] = {tile<1>, tile<2>, tile<3>, tile<4>};
  for (int64_t j = 0; j < columns; j += panel_columns) {
    for (int64_t r = 0; r < rows;) {
      const int64_t left = rows - r;
      const int64_t height = left <= tile_rows ? left : left < 2 * tile_rows ? (left + 1) / 2 : tile_rows;
      tiles[height - 1](a + r * a_stride, a_stride, packed + j * depth, depth, scales, r, j,
                        y + r * y_stride + j, y_stride, columns - j);
      r += height;
    }
  }
}

}  // namespace
}  // namespace distiltune::kernels
