#pragma once
#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ < 13
// gcc 12 takes the "undefined" operand inside its own AVX-512 intrinsics for a mistake (gcc bug 105593).
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>

#include <cstdint>

// The vector words of the fast loops, spelt for AVX-512. Everything here and in *_vector.h has internal
// linkage: an inline function with external linkage, compiled for this instruction set, could become the copy
// the whole program uses.

namespace distiltune::kernels {
namespace {

using Vec = __m512;
using Mask = __mmask16;
constexpr int64_t width = 16;
constexpr int tile_vectors = 4;  // a tile of the product: 6 rows of 4 vectors, 24 of the 32 registers
constexpr int tile_steps = 1;    // along the depth, in a turn of its loop

/** Asks for a line of memory that is read soon. */
inline void prefetch(const float* from) { _mm_prefetch(reinterpret_cast<const char*>(from), _MM_HINT_T0); }

inline Vec load(const float* from) { return _mm512_loadu_ps(from); }
inline void store(float* to, Vec v) { _mm512_storeu_ps(to, v); }
/** Past the caches, to a whole vector's place; other threads see it after end_stream(). */
inline void stream(float* to, Vec v) { _mm512_stream_ps(to, v); }
inline void end_stream() { _mm_sfence(); }
/** The first n lanes, n from 0 to width. */
inline Mask first(int64_t n) { return static_cast<Mask>((1u << n) - 1); }
/** Zero where the mask is not set. */
inline Vec load(const float* from, Mask mask) { return _mm512_maskz_loadu_ps(mask, from); }
inline void store(float* to, Vec v, Mask mask) { _mm512_mask_storeu_ps(to, mask, v); }
inline Vec set(float value) { return _mm512_set1_ps(value); }
inline Vec zero() { return _mm512_setzero_ps(); }
inline Vec add(Vec a, Vec b) { return _mm512_add_ps(a, b); }
inline Vec sub(Vec a, Vec b) { return _mm512_sub_ps(a, b); }
inline Vec mul(Vec a, Vec b) { return _mm512_mul_ps(a, b); }
inline Vec div(Vec a, Vec b) { return _mm512_div_ps(a, b); }
inline Vec root(Vec a) { return _mm512_sqrt_ps(a); }
/** a * b + c, rounded once. */
inline Vec fma(Vec a, Vec b, Vec c) { return _mm512_fmadd_ps(a, b, c); }
/** The same; c is to keep its register. */
inline Vec fma_in_place(Vec a, Vec b, Vec c) { return fma(a, b, c); }
/** c - a * b, rounded once. */
inline Vec fnma(Vec a, Vec b, Vec c) { return _mm512_fnmadd_ps(a, b, c); }
/** b where either is not a number. */
inline Vec larger(Vec a, Vec b) { return _mm512_max_ps(a, b); }
/** b where either is not a number. */
inline Vec smaller(Vec a, Vec b) { return _mm512_min_ps(a, b); }
inline Vec magnitude(Vec a) { return _mm512_abs_ps(a); }
inline Mask negative(Vec a) { return _mm512_cmp_ps_mask(a, _mm512_setzero_ps(), _CMP_LT_OQ); }
/** a where the mask is set, else b. */
inline Vec select(Mask mask, Vec a, Vec b) { return _mm512_mask_blend_ps(mask, b, a); }
inline Vec round(Vec a) { return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
/** a * 2^n for whole n. */
inline Vec scale(Vec a, Vec n) { return _mm512_scalef_ps(a, n); }

/** Each lane, a whole number from 0 to 255, as a byte: width bytes. */
inline void store_bytes(uint8_t* to, Vec v) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(v)));
}

inline Vec halves(Vec v) { return _mm512_shuffle_f32x4(v, v, _MM_SHUFFLE(1, 0, 3, 2)); }
inline Vec quarters(Vec v) { return _mm512_shuffle_f32x4(v, v, _MM_SHUFFLE(2, 3, 0, 1)); }
inline Vec pairs(Vec v) { return _mm512_permute_ps(v, _MM_SHUFFLE(1, 0, 3, 2)); }
inline Vec neighbours(Vec v) { return _mm512_permute_ps(v, _MM_SHUFFLE(2, 3, 0, 1)); }
inline float first_lane(Vec v) { return _mm512_cvtss_f32(v); }
inline float sum(Vec v) {
  v = add(v, halves(v));
  v = add(v, quarters(v));
  v = add(v, pairs(v));
  return first_lane(add(v, neighbours(v)));
}
inline float largest(Vec v) {
  v = larger(v, halves(v));
  v = larger(v, quarters(v));
  v = larger(v, pairs(v));
  return first_lane(larger(v, neighbours(v)));
}

/** Lanes whose 16-bit draw is not below the threshold. Reads 16 draws whatever the number of lanes in use. */
inline Mask kept(const uint16_t* draws, uint32_t threshold) {
  const __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(draws)));
  return _mm512_cmpge_epu32_mask(wide, _mm512_set1_epi32(static_cast<int>(threshold)));
}

/** Rows become columns. */
inline void transpose(Vec (&r)[16]) {
  Vec t[16];
  for (int i = 0; i < 16; i += 4) {
    const Vec a = _mm512_unpacklo_ps(r[i], r[i + 1]), b = _mm512_unpackhi_ps(r[i], r[i + 1]);
    const Vec c = _mm512_unpacklo_ps(r[i + 2], r[i + 3]), d = _mm512_unpackhi_ps(r[i + 2], r[i + 3]);
    t[i] = _mm512_shuffle_ps(a, c, 0x44);
    t[i + 1] = _mm512_shuffle_ps(a, c, 0xee);
    t[i + 2] = _mm512_shuffle_ps(b, d, 0x44);
    t[i + 3] = _mm512_shuffle_ps(b, d, 0xee);
  }
  for (int i = 0; i < 4; ++i) {  // t[4 g + i] holds columns i, 4 + i, 8 + i, 12 + i of rows 4 g to 4 g + 3
    const Vec a = _mm512_shuffle_f32x4(t[i], t[4 + i], 0x88), b = _mm512_shuffle_f32x4(t[i], t[4 + i], 0xdd);
    const Vec c = _mm512_shuffle_f32x4(t[8 + i], t[12 + i], 0x88),
              d = _mm512_shuffle_f32x4(t[8 + i], t[12 + i], 0xdd);
    r[i] = _mm512_shuffle_f32x4(a, c, 0x88);
    r[4 + i] = _mm512_shuffle_f32x4(b, d, 0x88);
    r[8 + i] = _mm512_shuffle_f32x4(a, c, 0xdd);
    r[12 + i] = _mm512_shuffle_f32x4(b, d, 0xdd);
  }
}

// Doubles, half as many to a register.
using Wide = __m512d;
inline Wide wide_zero() { return _mm512_setzero_pd(); }
inline Wide low(Vec v) { return _mm512_cvtps_pd(_mm512_castps512_ps256(v)); }
inline Wide high(Vec v) { return _mm512_cvtps_pd(_mm512_extractf32x8_ps(v, 1)); }
inline Wide fma(Wide a, Wide b, Wide c) { return _mm512_fmadd_pd(a, b, c); }
inline double sum(Wide v) {
  double lanes[8];
  _mm512_storeu_pd(lanes, v);
  return ((lanes[0] + lanes[4]) + (lanes[1] + lanes[5])) + ((lanes[2] + lanes[6]) + (lanes[3] + lanes[7]));
}

// 64-bit lanes, for Philox.
using Lanes = __m512i;
inline Lanes lanes(uint64_t value) { return _mm512_set1_epi64(static_cast<long long>(value)); }
inline Lanes even_lanes() { return _mm512_set_epi64(14, 12, 10, 8, 6, 4, 2, 0); }
inline Lanes add(Lanes a, Lanes b) { return _mm512_add_epi64(a, b); }
/** Product of the low halves. */
inline Lanes product(Lanes a, Lanes b) { return _mm512_mul_epu32(a, b); }
inline Lanes upper(Lanes a) { return _mm512_srli_epi64(a, 32); }
inline Lanes differ(Lanes a, Lanes b, Lanes c) { return _mm512_ternarylogic_epi64(a, b, c, 0x96); }
/** Low half of each lane from `even`, high half from the low half of `odd`. */
inline void store_pairs(uint16_t* to, Lanes even, Lanes odd) {
  _mm512_storeu_si512(to, _mm512_mask_blend_epi32(0xaaaa, even, _mm512_slli_epi64(odd, 32)));
}

}  // namespace
}  // namespace distiltune::kernels
