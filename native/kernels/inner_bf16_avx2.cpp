#include "vector_avx2.h"

namespace distiltune::kernels {
namespace {

inline __m256i rounded(Vec v) {  // to the upper half of each lane
  const __m256i bits = _mm256_castps_si256(v);
  const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
  const __m256i nearest = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
  const __m256i quiet = _mm256_or_si256(bits, _mm256_set1_epi32(0x400000));
  const __m256 none = _mm256_cmp_ps(v, v, _CMP_UNORD_Q);
  return _mm256_castps_si256(
      _mm256_blendv_ps(_mm256_castsi256_ps(nearest), _mm256_castsi256_ps(quiet), none));
}

inline Vec words(Vec first, Vec second) {
  return _mm256_castsi256_ps(
      _mm256_blend_epi16(_mm256_srli_epi32(rounded(first), 16), rounded(second), 0xaa));
}

inline Vec neighbours_words(Vec a, Vec b) {
  const Vec joined = words(_mm256_shuffle_ps(a, b, 0x88), _mm256_shuffle_ps(a, b, 0xdd));
  return _mm256_castpd_ps(_mm256_permute4x64_pd(_mm256_castps_pd(joined), 0xd8));
}

inline Vec set_bits(uint32_t bits) { return _mm256_castsi256_ps(_mm256_set1_epi32(static_cast<int>(bits))); }
inline Vec second_halves(Vec words) {
  return _mm256_and_ps(words, _mm256_castsi256_ps(_mm256_set1_epi32(static_cast<int>(0xffff0000))));
}
inline Vec first_halves(Vec words) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(words), 16));
}
inline Vec add_dot(Vec left, Vec right, Vec total) {
  total = fma(second_halves(left), second_halves(right), total);
  return fma(first_halves(left), first_halves(right), total);
}

}  // namespace
}  // namespace distiltune::kernels

#include "bf16_vector.h"

namespace distiltune::kernels {

extern const InnerBf16 inner_bf16_avx2;
const InnerBf16 inner_bf16_avx2 = loops(Bf16Isa::avx2);

}  // namespace distiltune::kernels
