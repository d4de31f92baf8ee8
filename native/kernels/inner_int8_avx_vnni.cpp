#include <immintrin.h>

namespace distiltune::kernels {
namespace {

/** `w` in steps of two. */
inline __m256i dot(__m256i total, const __m256i (&four)[4], const __m256i* w) {
  for (int i = 0; i < 4; ++i) total = _mm256_dpbusd_avx_epi32(total, four[i], w[2 * i]);
  return total;
}

}  // namespace
}  // namespace distiltune::kernels

#include "int8_ymm.h"

namespace distiltune::kernels {

extern const InnerInt8 inner_int8_avx_vnni;
const InnerInt8 inner_int8_avx_vnni = {Int8Isa::avx_vnni, panel_columns, multiply};

}  // namespace distiltune::kernels
