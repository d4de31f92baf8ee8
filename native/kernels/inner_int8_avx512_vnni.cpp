#include "vector_avx512.h"
//
#include <cstring>

#include "compiler.h"
#include "inner_int8.h"

namespace distiltune::kernels {
namespace {

// Four vectors: tiles of six rows take 24 of the 32 registers.
constexpr int64_t panel_columns = 64;

inline __m512i four_bytes(const uint8_t* from) {
  int value;
  std::memcpy(&value, from, 4);
  return _mm512_set1_epi32(value);
}

inline __m512 scaled(__m512i total, __m512i zero, __m512 row_scale, const Int8Scales& scales,
                     int64_t column) {
  const __m512i sums = _mm512_loadu_si512(scales.column_sums + column);
  const __m512 exact = _mm512_cvtepi32_ps(_mm512_sub_epi32(total, _mm512_mullo_epi32(zero, sums)));
  const __m512 scale = _mm512_mul_ps(row_scale, _mm512_loadu_ps(scales.column_scales + column));
  return _mm512_add_ps(_mm512_mul_ps(exact, scale), _mm512_loadu_ps(scales.bias + column));
}

template <int rows>
DISTILTUNE_NOINLINE void tile(const uint8_t* a, int64_t a_stride, const int8_t* packed, int64_t depth,
                              const Int8Scales& scales, int64_t row, int64_t column, float* y,
                              int64_t y_stride, int64_t columns) {
  __m512i total[rows][4];
  DISTILTUNE_UNROLL
  for (int r = 0; r < rows; ++r) {
    DISTILTUNE_UNROLL
    for (int v = 0; v < 4; ++v) total[r][v] = _mm512_setzero_si512();
  }
  const int8_t* w = packed;
  for (int64_t p = 0; p < depth; p += 4, w += 256) {
    __m512i right[4];
    DISTILTUNE_UNROLL
    for (int v = 0; v < 4; ++v) right[v] = _mm512_loadu_si512(w + 64 * v);
    DISTILTUNE_UNROLL
    for (int r = 0; r < rows; ++r) {
      const __m512i left = four_bytes(a + r * a_stride + p);
      DISTILTUNE_UNROLL
      for (int v = 0; v < 4; ++v) total[r][v] = _mm512_dpbusd_epi32(total[r][v], left, right[v]);
    }
  }
  __m512i sums[rows][4];  // in memory: a loop that is not unrolled may walk it
  DISTILTUNE_UNROLL
  for (int r = 0; r < rows; ++r) {
    DISTILTUNE_UNROLL
    for (int v = 0; v < 4; ++v) sums[r][v] = total[r][v];
  }
  for (int r = 0; r < rows; ++r) {
    const __m512i zero = _mm512_set1_epi32(scales.zeros[row + r]);
    const __m512 row_scale = _mm512_set1_ps(scales.row_scales[row + r]);
    for (int v = 0; v < 4 && 16 * v < columns; ++v) {
      const int64_t left = columns - 16 * v;
      const auto mask = static_cast<__mmask16>(left >= 16 ? 0xffff : (1u << left) - 1);
      _mm512_mask_storeu_ps(y + r * y_stride + 16 * v, mask,
                            scaled(sums[r][v], zero, row_scale, scales, column + 16 * v));
    }
  }
}

}  // namespace
}  // namespace distiltune::kernels

#include "int8_tiles.h"

namespace distiltune::kernels {

extern const InnerInt8 inner_int8_avx512_vnni;
const InnerInt8 inner_int8_avx512_vnni = {Int8Isa::avx512_vnni, panel_columns, multiply};

}  // namespace distiltune::kernels
