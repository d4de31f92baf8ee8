#pragma once
#include "inner_int8.h"
#include "strips.h"

// Included after tile<rows>() and panel_columns: the walk over tiles that VNNI and NEON share.

namespace distiltune::kernels {
namespace {

void multiply(const uint8_t* a, int64_t a_stride, const int8_t* packed, const Int8Scales& scales, float* y,
              int64_t y_stride, int64_t rows, int64_t columns, int64_t depth, Ahead ahead) {
  constexpr decltype(&tile<1>) tiles[tile_rows] = {tile<1>, tile<2>, tile<3>, tile<4>, tile<5>, tile<6>};
  for (int64_t j = 0; j < columns; j += panel_columns) {
    const bool last = j + panel_columns >= columns;
    const int8_t* w = packed + j * depth;
    Lines lines(last ? ahead : Ahead{w + panel_columns * depth, panel_columns * depth},
                (rows + tile_rows - 1) / tile_rows);
    for (int64_t r = 0; r < rows;) {
      const int64_t height = strip_rows(rows - r);
      lines.fetch_turn();
      tiles[height - 1](a + r * a_stride, a_stride, w, depth, scales, r, j, y + r * y_stride + j, y_stride,
                        columns - j);
      r += height;
    }
  }
}

}  // namespace
}  // namespace distiltune::kernels
