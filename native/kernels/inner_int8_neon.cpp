#include "compiler.h"
#include "int8_neon.h"

namespace distiltune::kernels {
namespace {

// One vector of weights: 4 columns of 4 bytes. A row then has two vectors of sums, 12 of the 32 registers.
constexpr int64_t panel_columns = 4;

/** As many of the low and of the high bytes, two products in each of 16 bits: they stay below 2 * 127 * 127.
 */
inline int16x8_t low_products(int8x16_t left, int8x16_t right, int8x16_t left2, int8x16_t right2) {
  return vmlal_s8(vmull_s8(vget_low_s8(left), vget_low_s8(right)), vget_low_s8(left2), vget_low_s8(right2));
}
inline int16x8_t high_products(int8x16_t left, int8x16_t right, int8x16_t left2, int8x16_t right2) {
  return vmlal_high_s8(vmull_high_s8(left, right), left2, right2);
}

template <int rows>
DISTILTUNE_NOINLINE void tile(const uint8_t* a, int64_t a_stride, const int8_t* packed, int64_t depth,
                              const Int8Scales& scales, int64_t row, int64_t column, float* y,
                              int64_t y_stride, int64_t columns) {
  int32x4_t low[rows], high[rows];  // each column in two lanes
  DISTILTUNE_UNROLL
  for (int r = 0; r < rows; ++r) low[r] = high[r] = vdupq_n_s32(0);
  for (int64_t p = 0; p < depth; p += 8, packed += 32) {
    const int8x16_t right = vld1q_s8(packed), right2 = vld1q_s8(packed + 16);
    DISTILTUNE_UNROLL
    for (int r = 0; r < rows; ++r) {
      const int8x16_t left = four_bytes(a + r * a_stride + p), left2 = four_bytes(a + r * a_stride + p + 4);
      low[r] = vpadalq_s16(low[r], low_products(left, right, left2, right2));
      high[r] = vpadalq_s16(high[r], high_products(left, right, left2, right2));
    }
  }
  DISTILTUNE_UNROLL
  for (int r = 0; r < rows; ++r)
    store(vpaddq_s32(low[r], high[r]), scales, row + r, column, y + r * y_stride, columns);
}

}  // namespace
}  // namespace distiltune::kernels

#include "int8_tiles.h"

namespace distiltune::kernels {

extern const InnerInt8 inner_int8_neon;
const InnerInt8 inner_int8_neon = {Int8Isa::neon, panel_columns, multiply};

}  // namespace distiltune::kernels
