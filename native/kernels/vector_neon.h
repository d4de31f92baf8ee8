#pragma once
#include <arm_neon.h>

#include <cstdint>
#include <cstring>

// The vector words of the fast loops, spelt for NEON of 64-bit Arm; what each means stands in
// vector_avx512.h. Internal linkage for the reason given there.

namespace distiltune::kernels {
namespace {

using Vec = float32x4_t;
/** NEON has no masked loads and stores: a mask of the first lanes remembers how many they are. */
struct Mask {
  uint32x4_t lanes;
  size_t count;  // of a mask that first() made
};
constexpr int64_t width = 4;
constexpr int tile_vectors = 4;  // a tile of the product: 6 rows of 4 vectors, 24 of the 32 registers
constexpr int tile_steps = 1;

inline void prefetch(const float* from) { __builtin_prefetch(from); }

inline Vec load(const float* from) { return vld1q_f32(from); }
inline void store(float* to, Vec v) { vst1q_f32(to, v); }
/** Arm's stores past the caches (STNP) have no intrinsic. */
inline void stream(float* to, Vec v) { store(to, v); }
inline void end_stream() {}
inline Mask first(int64_t n) {
  const uint32_t lane[] = {0, 1, 2, 3};
  return {vcltq_u32(vld1q_u32(lane), vdupq_n_u32(static_cast<uint32_t>(n))), static_cast<size_t>(n)};
}
inline Vec load(const float* from, Mask mask) {
  float lanes[width] = {};
  std::memcpy(lanes, from, mask.count * sizeof(float));
  return load(lanes);
}
inline void store(float* to, Vec v, Mask mask) {
  float lanes[width];
  store(lanes, v);
  std::memcpy(to, lanes, mask.count * sizeof(float));
}
inline Vec set(float value) { return vdupq_n_f32(value); }
inline Vec zero() { return vdupq_n_f32(0); }
inline Vec add(Vec a, Vec b) { return vaddq_f32(a, b); }
inline Vec sub(Vec a, Vec b) { return vsubq_f32(a, b); }
inline Vec mul(Vec a, Vec b) { return vmulq_f32(a, b); }
inline Vec div(Vec a, Vec b) { return vdivq_f32(a, b); }
inline Vec root(Vec a) { return vsqrtq_f32(a); }
inline Vec fma(Vec a, Vec b, Vec c) { return vfmaq_f32(c, a, b); }
inline Vec fma_in_place(Vec a, Vec b, Vec c) { return fma(a, b, c); }
inline Vec fnma(Vec a, Vec b, Vec c) { return vfmsq_f32(c, a, b); }
inline Vec larger(Vec a, Vec b) { return vbslq_f32(vcgtq_f32(a, b), a, b); }
inline Vec smaller(Vec a, Vec b) { return vbslq_f32(vcltq_f32(a, b), a, b); }
inline Vec magnitude(Vec a) { return vabsq_f32(a); }
inline Mask negative(Vec a) { return {vcltzq_f32(a), 0}; }
inline Vec select(Mask mask, Vec a, Vec b) { return vbslq_f32(mask.lanes, a, b); }
inline Vec round(Vec a) { return vrndnq_f32(a); }
inline void store_bytes(uint8_t* to, Vec v) {
  const uint16x4_t whole = vmovn_u32(vcvtnq_u32_f32(v));
  const uint8x8_t bytes = vmovn_u16(vcombine_u16(whole, whole));
  const uint32_t four = vget_lane_u32(vreinterpret_u32_u8(bytes), 0);
  std::memcpy(to, &four, sizeof four);
}
/** For results in the range of normal numbers only. */
inline Vec scale(Vec a, Vec n) {
  return vreinterpretq_f32_s32(vaddq_s32(vreinterpretq_s32_f32(a), vshlq_n_s32(vcvtnq_s32_f32(n), 23)));
}

inline Vec halves(Vec v) { return vextq_f32(v, v, 2); }
inline Vec neighbours(Vec v) { return vrev64q_f32(v); }
inline float first_lane(Vec v) { return vgetq_lane_f32(v, 0); }
inline float sum(Vec v) {
  v = add(v, halves(v));
  return first_lane(add(v, neighbours(v)));
}
inline float largest(Vec v) {
  v = larger(v, halves(v));
  return first_lane(larger(v, neighbours(v)));
}

inline Mask kept(const uint16_t* draws, uint32_t threshold) {
  return {vcgeq_u32(vmovl_u16(vld1_u16(draws)), vdupq_n_u32(threshold)), 0};
}

inline void transpose(Vec (&r)[4]) {
  const float32x4x2_t a = vtrnq_f32(r[0], r[1]), b = vtrnq_f32(r[2], r[3]);
  for (int i = 0; i < 2; ++i) {
    r[i] = vcombine_f32(vget_low_f32(a.val[i]), vget_low_f32(b.val[i]));
    r[2 + i] = vcombine_f32(vget_high_f32(a.val[i]), vget_high_f32(b.val[i]));
  }
}

using Wide = float64x2_t;
inline Wide wide_zero() { return vdupq_n_f64(0); }
inline Wide low(Vec v) { return vcvt_f64_f32(vget_low_f32(v)); }
inline Wide high(Vec v) { return vcvt_high_f64_f32(v); }
inline Wide fma(Wide a, Wide b, Wide c) { return vfmaq_f64(c, a, b); }
inline double sum(Wide v) { return vgetq_lane_f64(v, 0) + vgetq_lane_f64(v, 1); }

using Lanes = uint64x2_t;
inline Lanes lanes(uint64_t value) { return vdupq_n_u64(value); }
inline Lanes even_lanes() { return vcombine_u64(vcreate_u64(0), vcreate_u64(2)); }
inline Lanes add(Lanes a, Lanes b) { return vaddq_u64(a, b); }
inline Lanes product(Lanes a, Lanes b) { return vmull_u32(vmovn_u64(a), vmovn_u64(b)); }
inline Lanes upper(Lanes a) { return vshrq_n_u64(a, 32); }
inline Lanes differ(Lanes a, Lanes b, Lanes c) { return veorq_u64(veorq_u64(a, b), c); }
inline void store_pairs(uint16_t* to, Lanes even, Lanes odd) {
  vst1q_u16(to, vreinterpretq_u16_u64(vsliq_n_u64(even, odd, 32)));
}

}  // namespace
}  // namespace distiltune::kernels
