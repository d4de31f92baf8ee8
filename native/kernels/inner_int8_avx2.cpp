#include <immintrin.h>

namespace distiltune::kernels {
namespace {

/** The rule for groups (gemm_int8.h) keeps four pairs of products within 16 bits. `w` in steps of two. */
inline __m256i dot(__m256i total, const __m256i (&four)[4], const __m256i* w) {
  const __m256i low =
      _mm256_add_epi16(_mm256_maddubs_epi16(four[0], w[0]), _mm256_maddubs_epi16(four[1], w[2]));
  const __m256i high =
      _mm256_add_epi16(_mm256_maddubs_epi16(four[2], w[4]), _mm256_maddubs_epi16(four[3], w[6]));
  return _mm256_add_epi32(total, _mm256_madd_epi16(_mm256_add_epi16(low, high), _mm256_set1_epi16(1)));
}

}  // namespace
}  // namespace distiltune::kernels

#include "int8_ymm.h"

namespace distiltune::kernels {

extern const InnerInt8 inner_int8_avx2;
const InnerInt8 inner_int8_avx2 = {Int8Isa::avx2, panel_columns, multiply};

}  // namespace distiltune::kernels
