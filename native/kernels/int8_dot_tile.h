#pragma once
#include "compiler.h"
#include "inner_int8.h"

// A tile of instructions that multiply four bytes by four and add them up in 32 bits. Included after
// constexpr int vectors, of weights in a panel, and these words:
//   Sums                              a vector of whole numbers, `sum_lanes` of them
//   Sums no_sums()
//   Bytes four_bytes(from)            four bytes of a row in every lane
//   Bytes weights(from)               a vector of weights, four of each column
//   Sums dot(total, left, right)
//   void store(total, scales, row, column, y, columns)   the results of a vector of sums, `columns` or all

namespace distiltune::kernels {
namespace {

constexpr int64_t panel_columns = sum_lanes * vectors;

template <int rows>
DISTILTUNE_NOINLINE void tile(const uint8_t* a, int64_t a_stride, const int8_t* packed, int64_t depth,
                              const Int8Scales& scales, int64_t row, int64_t column, float* y,
                              int64_t y_stride, int64_t columns) {
  Sums total[rows][vectors];
  DISTILTUNE_UNROLL
  for (int r = 0; r < rows; ++r) {
    DISTILTUNE_UNROLL
    for (int v = 0; v < vectors; ++v) total[r][v] = no_sums();
  }
  const int8_t* w = packed;
  for (int64_t p = 0; p < depth; p += 4, w += 4 * panel_columns) {
    decltype(weights(w)) right[vectors];
    DISTILTUNE_UNROLL
    for (int v = 0; v < vectors; ++v) right[v] = weights(w + 4 * sum_lanes * v);
    DISTILTUNE_UNROLL
    for (int r = 0; r < rows; ++r) {
      const auto left = four_bytes(a + r * a_stride + p);
      DISTILTUNE_UNROLL
      for (int v = 0; v < vectors; ++v) total[r][v] = dot(total[r][v], left, right[v]);
    }
  }
  Sums sums[rows][vectors];  // in memory: a loop that is not unrolled may walk it
  DISTILTUNE_UNROLL
  for (int r = 0; r < rows; ++r) {
    DISTILTUNE_UNROLL
    for (int v = 0; v < vectors; ++v) sums[r][v] = total[r][v];
  }
  for (int r = 0; r < rows; ++r) {
    for (int v = 0; v < vectors && sum_lanes * v < columns; ++v)
      store(sums[r][v], scales, row + r, column + sum_lanes * v, y + r * y_stride + sum_lanes * v,
            columns - sum_lanes * v);
  }
}

}  // namespace
}  // namespace distiltune::kernels
