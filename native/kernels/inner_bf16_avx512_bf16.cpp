#include "vector_avx512.h"
//
#include <cstring>

namespace distiltune::kernels {
namespace {

template <typename To, typename From>
To bits_as(From from) {  // the compilers differ in what converts to and from vectors of bfloat16
  static_assert(sizeof(To) == sizeof(From), "the same bits");
  To to;
  std::memcpy(&to, &from, sizeof to);
  return to;
}

inline Vec words(Vec first, Vec second) {
  const __m512i halves = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7,
                                          22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  const auto rounded = bits_as<__m512i>(_mm512_cvtne2ps_pbh(second, first));
  return _mm512_castsi512_ps(_mm512_permutexvar_epi16(halves, rounded));
}

inline Vec neighbours_words(Vec a, Vec b) { return bits_as<Vec>(_mm512_cvtne2ps_pbh(b, a)); }

inline Vec set_bits(uint32_t bits) { return _mm512_castsi512_ps(_mm512_set1_epi32(static_cast<int>(bits))); }
inline Vec add_dot(Vec left, Vec right, Vec total) {
  return _mm512_dpbf16_ps(total, bits_as<__m512bh>(left), bits_as<__m512bh>(right));
}

}  // namespace
}  // namespace distiltune::kernels

#include "bf16_vector.h"

namespace distiltune::kernels {

extern const InnerBf16 inner_bf16_avx512_bf16;
const InnerBf16 inner_bf16_avx512_bf16 = loops(Bf16Isa::avx512_bf16);

}  // namespace distiltune::kernels
