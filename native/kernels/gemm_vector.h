#pragma once
#include <cstring>

#include "gemm_tile.h"

// Included after vector_avx2.h, vector_avx512.h or vector_neon.h.

namespace distiltune::kernels {
namespace {

/** Operands of floats. */
struct Floats {
  using Value = float;
  static Vec load(const float* from) { return kernels::load(from); }
  static Vec set(float value) { return kernels::set(value); }
  static Vec add_product(Vec left, Vec right, Vec total) { return fma_in_place(left, right, total); }
  static constexpr int steps = tile_steps;
};

void pack(const float* b, int64_t stride, int64_t depth, int64_t columns, float* packed) {
  for (int64_t p = 0; p < depth; ++p) {  // whole rows: neighbouring panels share pages and often cache lines
    const float* row = b + p * stride;
    for (int64_t line = 0; line < columns; line += 16) prefetch(row + rows_ahead * stride + line);
    for (int64_t j = 0; j < columns; j += panel_columns) {
      const int64_t end = smaller(columns, j + panel_columns);
      float* to = packed + j * depth + p * round_up(end - j);
      int64_t i = j;
      for (; i + width <= end; i += width, to += width) store(to, load(row + i));
      if (i < end) store(to, load(row + i, first(end - i)));
    }
  }
}

void pack_transposed(const float* bt, int64_t stride, int64_t depth, int64_t columns, float* packed) {
  for (int64_t j = 0; j < columns; j += panel_columns) {
    const int64_t end = smaller(columns, j + panel_columns), packed_columns = round_up(end - j);
    for (int64_t i = j; i < end; i += width) {
      const int64_t rows = smaller(width, end - i);
      for (int64_t p = 0; p < depth; p += width) {
        const int64_t steps = smaller(width, depth - p);
        const Mask mask = first(steps);
        Vec block[width];
        for (int64_t r = 0; r < width; ++r) {
          const float* row = bt + (i + r) * stride + p;
          prefetch(row + width * stride);
          block[r] = r < rows ? load(row, mask) : zero();
        }
        transpose(block);
        float* to = packed + p * packed_columns + (i - j);
        for (int64_t r = 0; r < steps; ++r) store(to + r * packed_columns, block[r]);
      }
    }
    packed += depth * packed_columns;
  }
}

void pack_left(const float* b, int64_t stride, int64_t depth, int64_t columns, float* packed, float* sums) {
  const int64_t whole = columns / tile_rows * tile_rows;
  for (int64_t p = 0; p < depth; ++p) {
    const float* row = b + p * stride;
    for (int64_t line = 0; line < columns; line += 16) prefetch(row + rows_ahead * stride + line);
    for (int64_t j = 0; j < whole; j += tile_rows)
      std::memcpy(packed + j * depth + p * tile_rows, row + j, tile_rows * sizeof(float));
    for (int64_t j = whole; j < columns; ++j) packed[whole * depth + p * tile_rows + j - whole] = row[j];
  }
  if (sums) add_sums(b, stride, depth, columns, sums);
}

}  // namespace
}  // namespace distiltune::kernels
