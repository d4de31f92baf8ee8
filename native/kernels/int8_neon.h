#pragma once
#include <arm_neon.h>

#include <cstring>

#include "inner_int8.h"

// What products of bytes under NEON share. Internal linkage for the reason given in vector_avx512.h.

namespace distiltune::kernels {
namespace {

/** Four bytes of a row, 0 to 127 each, four times over. */
inline int8x16_t four_bytes(const uint8_t* from) {
  int32_t value;
  std::memcpy(&value, from, 4);
  return vreinterpretq_s8_s32(vdupq_n_s32(value));
}

/** Stores the results of the sums of 4 columns from `column` on, of which `columns` are there, 1 or more. */
inline void store(int32x4_t total, const Int8Scales& scales, int64_t row, int64_t column, float* y,
                  int64_t columns) {
  const int32x4_t sums = vld1q_s32(scales.column_sums + column);
  const float32x4_t exact = vcvtq_f32_s32(vmlsq_n_s32(total, sums, scales.zeros[row]));
  const float32x4_t scale = vmulq_n_f32(vld1q_f32(scales.column_scales + column), scales.row_scales[row]);
  const float32x4_t result = vaddq_f32(vmulq_f32(exact, scale), vld1q_f32(scales.bias + column));
  if (columns >= 4) return vst1q_f32(y, result);
  float lanes[4];
  vst1q_f32(lanes, result);
  std::memcpy(y, lanes, static_cast<size_t>(columns) * sizeof(float));
}

}  // namespace
}  // namespace distiltune::kernels
