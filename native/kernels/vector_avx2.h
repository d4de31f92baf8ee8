#pragma once
#include <immintrin.h>

#include <cstdint>

// The vector words of the fast loops, spelt for AVX2 and FMA; what each means stands in vector_avx512.h.
// Internal linkage for the reason given there.

namespace distiltune::kernels {
namespace {

using Vec = __m256;
using Mask = __m256;  // a lane's sign bit
constexpr int64_t width = 8;
constexpr int tile_vectors = 2;  // a tile of the product: 6 rows of 2 vectors, 12 of the 16 registers
// Of the 24 instructions of a step 4 are the loop's own: free where a core takes in 6 a cycle (Zen 3), not
// where its other thread takes half of them.
constexpr int tile_steps = 4;

inline void prefetch(const float* from) { _mm_prefetch(reinterpret_cast<const char*>(from), _MM_HINT_T0); }

inline Vec load(const float* from) { return _mm256_loadu_ps(from); }
inline void store(float* to, Vec v) { _mm256_storeu_ps(to, v); }
/** Past the caches, to a whole vector's place; other threads see it after end_stream(). */
inline void stream(float* to, Vec v) { _mm256_stream_ps(to, v); }
inline void end_stream() { _mm_sfence(); }
inline Mask first(int64_t n) {
  const __m256i lane = _mm256_set_epi32(7, 6, 5, 4, 3, 2, 1, 0);
  return _mm256_castsi256_ps(_mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n)), lane));
}
inline Vec load(const float* from, Mask mask) { return _mm256_maskload_ps(from, _mm256_castps_si256(mask)); }
inline void store(float* to, Vec v, Mask mask) { _mm256_maskstore_ps(to, _mm256_castps_si256(mask), v); }
inline Vec set(float value) { return _mm256_set1_ps(value); }
inline Vec zero() { return _mm256_setzero_ps(); }
inline Vec add(Vec a, Vec b) { return _mm256_add_ps(a, b); }
inline Vec sub(Vec a, Vec b) { return _mm256_sub_ps(a, b); }
inline Vec mul(Vec a, Vec b) { return _mm256_mul_ps(a, b); }
inline Vec div(Vec a, Vec b) { return _mm256_div_ps(a, b); }
inline Vec root(Vec a) { return _mm256_sqrt_ps(a); }
inline Vec fma(Vec a, Vec b, Vec c) { return _mm256_fmadd_ps(a, b, c); }
/** gcc 12 otherwise lets the sums of four steps wander and runs out of registers. */
inline Vec fma_in_place(Vec a, Vec b, Vec c) {
#if defined(__GNUC__)
  __asm__("vfmadd231ps %2, %1, %0" : "+x"(c) : "x"(a), "x"(b));
  return c;
#else
  return fma(a, b, c);
#endif
}
inline Vec fnma(Vec a, Vec b, Vec c) { return _mm256_fnmadd_ps(a, b, c); }
inline Vec larger(Vec a, Vec b) { return _mm256_max_ps(a, b); }
inline Vec smaller(Vec a, Vec b) { return _mm256_min_ps(a, b); }
inline Vec magnitude(Vec a) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a); }
inline Mask negative(Vec a) { return _mm256_cmp_ps(a, _mm256_setzero_ps(), _CMP_LT_OQ); }
inline Vec select(Mask mask, Vec a, Vec b) { return _mm256_blendv_ps(b, a, mask); }
inline Vec round(Vec a) { return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
/** For results in the range of normal numbers only. */
inline Vec scale(Vec a, Vec n) {
  return _mm256_castsi256_ps(
      _mm256_add_epi32(_mm256_castps_si256(a), _mm256_slli_epi32(_mm256_cvtps_epi32(n), 23)));
}

inline void store_bytes(uint8_t* to, Vec v) {
  const __m256i whole = _mm256_cvtps_epi32(v);
  const __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(whole), _mm256_extracti128_si256(whole, 1));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(to), _mm_packus_epi16(words, words));
}

inline Vec halves(Vec v) { return _mm256_permute2f128_ps(v, v, 1); }
inline Vec pairs(Vec v) { return _mm256_permute_ps(v, _MM_SHUFFLE(1, 0, 3, 2)); }
inline Vec neighbours(Vec v) { return _mm256_permute_ps(v, _MM_SHUFFLE(2, 3, 0, 1)); }
inline float first_lane(Vec v) { return _mm256_cvtss_f32(v); }
inline float sum(Vec v) {
  v = add(v, halves(v));
  v = add(v, pairs(v));
  return first_lane(add(v, neighbours(v)));
}
inline float largest(Vec v) {
  v = larger(v, halves(v));
  v = larger(v, pairs(v));
  return first_lane(larger(v, neighbours(v)));
}

inline Mask kept(const uint16_t* draws, uint32_t threshold) {
  const __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(draws)));
  return _mm256_castsi256_ps(_mm256_cmpgt_epi32(wide, _mm256_set1_epi32(static_cast<int>(threshold) - 1)));
}

inline void transpose(Vec (&r)[8]) {
  Vec t[8];
  for (int i = 0; i < 8; i += 4) {
    const Vec a = _mm256_unpacklo_ps(r[i], r[i + 1]), b = _mm256_unpackhi_ps(r[i], r[i + 1]);
    const Vec c = _mm256_unpacklo_ps(r[i + 2], r[i + 3]), d = _mm256_unpackhi_ps(r[i + 2], r[i + 3]);
    t[i] = _mm256_shuffle_ps(a, c, 0x44);
    t[i + 1] = _mm256_shuffle_ps(a, c, 0xee);
    t[i + 2] = _mm256_shuffle_ps(b, d, 0x44);
    t[i + 3] = _mm256_shuffle_ps(b, d, 0xee);
  }
  for (int i = 0; i < 4; ++i) {
    r[i] = _mm256_permute2f128_ps(t[i], t[4 + i], 0x20);
    r[4 + i] = _mm256_permute2f128_ps(t[i], t[4 + i], 0x31);
  }
}

using Wide = __m256d;
inline Wide wide_zero() { return _mm256_setzero_pd(); }
inline Wide low(Vec v) { return _mm256_cvtps_pd(_mm256_castps256_ps128(v)); }
inline Wide high(Vec v) { return _mm256_cvtps_pd(_mm256_extractf128_ps(v, 1)); }
inline Wide fma(Wide a, Wide b, Wide c) { return _mm256_fmadd_pd(a, b, c); }
inline double sum(Wide v) {
  double lanes[4];
  _mm256_storeu_pd(lanes, v);
  return (lanes[0] + lanes[2]) + (lanes[1] + lanes[3]);
}

using Lanes = __m256i;
inline Lanes lanes(uint64_t value) { return _mm256_set1_epi64x(static_cast<long long>(value)); }
inline Lanes even_lanes() { return _mm256_set_epi64x(6, 4, 2, 0); }
inline Lanes add(Lanes a, Lanes b) { return _mm256_add_epi64(a, b); }
inline Lanes product(Lanes a, Lanes b) { return _mm256_mul_epu32(a, b); }
inline Lanes upper(Lanes a) { return _mm256_srli_epi64(a, 32); }
inline Lanes differ(Lanes a, Lanes b, Lanes c) { return _mm256_xor_si256(_mm256_xor_si256(a, b), c); }
inline void store_pairs(uint16_t* to, Lanes even, Lanes odd) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to),
                      _mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xaa));
}

}  // namespace
}  // namespace distiltune::kernels
