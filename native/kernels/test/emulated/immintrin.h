#pragma once
// Stands in for the compiler's immintrin.h where loops for AVX-512 and AVX-VNNI are compiled for a machine
// without (DISTILTUNE_EMULATE, CONTRIBUTING.md): SIMDe's functions, and below, lane by lane, what SIMDe 0.7.4
// of Debian 12 lacks or computes otherwise than the processor.
#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx512.h>
#include <simde/x86/f16c.h>
#include <simde/x86/fma.h>

#include <cmath>
#include <cstdint>
#include <cstring>

using __mmask16 = simde__mmask16;
using __mmask8 = simde__mmask8;
#define _MM_FROUND_TO_NEAREST_INT SIMDE_MM_FROUND_TO_NEAREST_INT
#define _MM_FROUND_NO_EXC SIMDE_MM_FROUND_NO_EXC
#define _MM_SHUFFLE(a, b, c, d) (((a) << 6) | ((b) << 4) | ((c) << 2) | (d))

namespace emulated {
namespace {

template <typename To, typename From>
To bits(const From& from) {
  static_assert(sizeof(To) == sizeof(From), "a vector and its lanes have one size");
  To to;
  std::memcpy(&to, &from, sizeof to);
  return to;
}

template <typename Value, int count>
struct Lanes {
  Value at[count];
};
using Floats = Lanes<float, 16>;
using Ints = Lanes<int32_t, 16>;

/** The vector whose lane i is `make(i)`. */
template <typename Vector, typename Each, typename Make>
Vector made(const Make& make) {
  constexpr int count = sizeof(Vector) / sizeof(Each);
  Lanes<Each, count> lanes;
  for (int i = 0; i < count; ++i) lanes.at[i] = static_cast<Each>(make(i));
  return bits<Vector>(lanes);
}

inline __m512 shuffle_f32x4(__m512 a, __m512 b, int choice) {
  const auto x = bits<Floats>(a), y = bits<Floats>(b);
  return made<__m512, float>(
      [&](int i) { return (i < 8 ? x : y).at[4 * (choice >> (2 * (i / 4)) & 3) + i % 4]; });
}
inline __m512 permute_ps(__m512 a, int choice) {
  const auto x = bits<Floats>(a);
  return made<__m512, float>([&](int i) { return x.at[i / 4 * 4 + (choice >> (2 * (i % 4)) & 3)]; });
}
inline __m256 extract_half(__m512 v, int half) {
  const auto x = bits<Floats>(v);
  return made<__m256, float>([&](int i) { return x.at[8 * half + i]; });
}

}  // namespace
}  // namespace emulated

inline void _mm512_mask_storeu_ps(void* to, __mmask16 mask, __m512 v) {
  const auto lanes = emulated::bits<emulated::Floats>(v);
  for (int i = 0; i < 16; ++i) {
    if (mask >> i & 1) static_cast<float*>(to)[i] = lanes.at[i];
  }
}
inline __m512 _mm512_maskz_loadu_ps(__mmask16 mask, const void* from) {
  return emulated::made<__m512, float>(
      [&](int i) { return mask >> i & 1 ? static_cast<const float*>(from)[i] : 0.0f; });
}
inline __m256i _mm256_dpbusd_avx_epi32(__m256i total, __m256i a, __m256i b) {
  return _mm256_dpbusd_epi32(total, a, b);
}
// Macros, as their last operand is a constant in the processor's own.
#define _mm512_shuffle_f32x4(a, b, choice) emulated::shuffle_f32x4(a, b, choice)
#define _mm512_permute_ps(a, choice) emulated::permute_ps(a, choice)
#define _mm512_extractf32x8_ps(v, half) emulated::extract_half(v, half)

inline float _mm512_cvtss_f32(__m512 v) { return emulated::bits<emulated::Floats>(v).at[0]; }
inline __m512i _mm512_cvtps_epi32(__m512 v) {
  const auto x = emulated::bits<emulated::Floats>(v);
  return emulated::made<__m512i, int32_t>([&](int i) { return std::nearbyint(x.at[i]); });
}
inline __m512 _mm512_cvtepi32_ps(__m512i v) {
  const auto x = emulated::bits<emulated::Ints>(v);
  return emulated::made<__m512, float>([&](int i) { return x.at[i]; });
}
inline __m512d _mm512_cvtps_pd(__m256 v) {
  const auto x = emulated::bits<emulated::Lanes<float, 8>>(v);
  return emulated::made<__m512d, double>([&](int i) { return x.at[i]; });
}
inline __m128i _mm512_cvtepi32_epi8(__m512i v) {
  const auto x = emulated::bits<emulated::Ints>(v);
  return emulated::made<__m128i, uint8_t>([&](int i) { return x.at[i]; });
}
inline __m512i _mm512_cvtepu16_epi32(__m256i v) {
  const auto x = emulated::bits<emulated::Lanes<uint16_t, 16>>(v);
  return emulated::made<__m512i, int32_t>([&](int i) { return x.at[i]; });
}

inline void _mm512_stream_ps(float* to, __m512 v) { _mm512_storeu_ps(to, v); }

// The Intel manual's pseudo code of VDPBF16PS and VCVTNE2PS2BF16, numbers below the normal ones being zero.
#undef _mm512_dpbf16_ps
namespace emulated {
namespace {
inline float flushed(float x) { return std::fabs(x) < 0x1p-126f ? std::copysign(0.0f, x) : x; }
inline float from_bf16(uint32_t half) { return flushed(bits<float>(half << 16)); }
}  // namespace
}  // namespace emulated
inline __m512bh _mm512_cvtne2ps_pbh(__m512 upper, __m512 lower) {
  const auto x = emulated::bits<emulated::Floats>(upper), y = emulated::bits<emulated::Floats>(lower);
  return emulated::made<__m512bh, uint16_t>([&](int i) {
    const float value = emulated::flushed(i < 16 ? y.at[i] : x.at[i - 16]);
    const auto bits = emulated::bits<uint32_t>(value);
    return std::isnan(value) ? bits >> 16 | 0x40 : (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
  });
}
inline __m512 _mm512_dpbf16_ps(__m512 total, __m512bh a, __m512bh b) {
  const auto sum = emulated::bits<emulated::Floats>(total);
  const auto x = emulated::bits<emulated::Ints>(a), y = emulated::bits<emulated::Ints>(b);
  const auto half = [](int32_t word, int shift) {
    return emulated::from_bf16(static_cast<uint32_t>(word) >> shift & 0xffff);
  };
  return emulated::made<__m512, float>([&](int i) {
    const float second = emulated::flushed(std::fma(half(x.at[i], 16), half(y.at[i], 16), sum.at[i]));
    return emulated::flushed(std::fma(half(x.at[i], 0), half(y.at[i], 0), second));
  });
}
