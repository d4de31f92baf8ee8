#include "vector_avx512.h"
//
#include <cstring>

#include "inner_int8.h"

namespace distiltune::kernels {
namespace {

using Sums = __m512i;
constexpr int sum_lanes = 16, vectors = 4;  // tiles of six rows take 24 of the 32 registers
inline Sums no_sums() { return _mm512_setzero_si512(); }
inline __m512i four_bytes(const uint8_t* from) {
  int value;
  std::memcpy(&value, from, 4);
  return _mm512_set1_epi32(value);
}
inline __m512i weights(const int8_t* from) { return _mm512_loadu_si512(from); }
inline Sums dot(Sums total, __m512i left, __m512i right) { return _mm512_dpbusd_epi32(total, left, right); }

inline void store(Sums total, const Int8Scales& scales, int64_t row, int64_t column, float* y,
                  int64_t columns) {
  const __m512i zero = _mm512_set1_epi32(scales.zeros[row]);
  const __m512i sums = _mm512_loadu_si512(scales.column_sums + column);
  const __m512 exact = _mm512_cvtepi32_ps(_mm512_sub_epi32(total, _mm512_mullo_epi32(zero, sums)));
  const __m512 scale =
      _mm512_mul_ps(_mm512_set1_ps(scales.row_scales[row]), _mm512_loadu_ps(scales.column_scales + column));
  const __m512 result = _mm512_add_ps(_mm512_mul_ps(exact, scale), _mm512_loadu_ps(scales.bias + column));
  const auto mask = static_cast<__mmask16>(columns >= 16 ? 0xffff : (1u << columns) - 1);
  _mm512_mask_storeu_ps(y, mask, result);
}

}  // namespace
}  // namespace distiltune::kernels

#include "int8_dot_tile.h"
#include "int8_tiles.h"

namespace distiltune::kernels {

extern const InnerInt8 inner_int8_avx512_vnni;
const InnerInt8 inner_int8_avx512_vnni = {Int8Isa::avx512_vnni, panel_columns, multiply};

}  // namespace distiltune::kernels
