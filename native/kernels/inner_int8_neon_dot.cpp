#include "compiler.h"
#include "int8_neon.h"

namespace distiltune::kernels {
namespace {

// Four vectors of 4 columns: tiles of six rows take 24 of the 32 registers.
constexpr int vectors = 4;
constexpr int64_t panel_columns = 4 * vectors;

template <int rows>
DISTILTUNE_NOINLINE void tile(const uint8_t* a, int64_t a_stride, const int8_t* packed, int64_t depth,
                              const Int8Scales& scales, int64_t row, int64_t column, float* y,
                              int64_t y_stride, int64_t columns) {
  int32x4_t total[rows][vectors];
  DISTILTUNE_UNROLL
  for (int r = 0; r < rows; ++r) {
    DISTILTUNE_UNROLL
    for (int v = 0; v < vectors; ++v) total[r][v] = vdupq_n_s32(0);
  }
  for (int64_t p = 0; p < depth; p += 4, packed += 4 * panel_columns) {
    int8x16_t right[vectors];
    DISTILTUNE_UNROLL
    for (int v = 0; v < vectors; ++v) right[v] = vld1q_s8(packed + 16 * v);
    DISTILTUNE_UNROLL
    for (int r = 0; r < rows; ++r) {
      const int8x16_t left = four_bytes(a + r * a_stride + p);
      DISTILTUNE_UNROLL
      for (int v = 0; v < vectors; ++v) total[r][v] = vdotq_s32(total[r][v], right[v], left);
    }
  }
  int32x4_t sums[rows][vectors];  // in memory: a loop that is not unrolled may walk it
  DISTILTUNE_UNROLL
  for (int r = 0; r < rows; ++r) {
    DISTILTUNE_UNROLL
    for (int v = 0; v < vectors; ++v) sums[r][v] = total[r][v];
  }
  for (int r = 0; r < rows; ++r) {
    for (int v = 0; v < vectors && 4 * v < columns; ++v)
      store(sums[r][v], scales, row + r, column + 4 * v, y + r * y_stride + 4 * v, columns - 4 * v);
  }
}

}  // namespace
}  // namespace distiltune::kernels

#include "int8_tiles.h"

namespace distiltune::kernels {

extern const InnerInt8 inner_int8_neon_dot;
const InnerInt8 inner_int8_neon_dot = {Int8Isa::neon_dot, panel_columns, multiply};

}  // namespace distiltune::kernels
