#pragma once
#include <cstring>

#include "inner.h"
#include "noinline.h"

// Included after vector_avx2.h, vector_avx512.h or vector_neon.h.

namespace distiltune::kernels {
namespace {

// Panels of panel_columns columns, the last narrower but a multiple of width: (panels, depth, panel_columns).
constexpr int64_t panel_columns = tile_vectors * width;
constexpr int64_t tile_rows = 6;

// Rows of a matrix lie pages apart, where the machine's own prefetch does not follow: packing asks for them
// ahead.
constexpr int64_t rows_ahead = 16;

int64_t round_up(int64_t columns) { return (columns + width - 1) / width * width; }
int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

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
  if (!sums) return;
  for (int64_t j = 0; j < columns; j += width) {
    const Mask mask = first(smaller(width, columns - j));
    Vec total = zero();
    for (int64_t p = 0; p < depth; ++p) total = add(total, load(b + p * stride + j, mask));
    store(sums + j, add(load(sums + j, mask), total), mask);
  }
}

/** `rows` rows of c by `vectors` vectors of columns, of which the last has `last` lanes in use. */
template <int rows, int vectors>
DISTILTUNE_NOINLINE void tile(const float* a, int64_t a_row, int64_t a_column, const float* b, float* c,
                              int64_t c_stride, int64_t depth, int64_t last, bool accumulate,
                              const float* bias) {
  Vec total[rows][vectors];
  const Mask mask = first(last);
  for (int v = 0; v < vectors; ++v) {
    Vec start = zero();
    if (bias) start = v == vectors - 1 ? load(bias + v * width, mask) : load(bias + v * width);
    for (int r = 0; r < rows; ++r) total[r][v] = start;
  }
  // A store too waits for its line.
  for (int r = 0; r < rows; ++r) {
    for (int v = 0; v < vectors; ++v) prefetch(c + r * c_stride + v * width);
  }
  for (int64_t p = 0; p < depth; ++p) {
    Vec right[vectors];
    for (int v = 0; v < vectors; ++v) right[v] = load(b + v * width);
    for (int r = 0; r < rows; ++r) {
      const Vec left = set(a[r * a_row]);
      for (int v = 0; v < vectors; ++v) total[r][v] = fma(left, right[v], total[r][v]);
    }
    a += a_column;
    b += vectors * width;
  }
  for (int r = 0; r < rows; ++r) {
    float* out = c + r * c_stride;
    for (int v = 0; v < vectors - 1; ++v) {
      if (accumulate) total[r][v] = add(load(out + v * width), total[r][v]);
      store(out + v * width, total[r][v]);
    }
    float* end = out + (vectors - 1) * width;
    if (last == width) {  // masked stores are slow on older machines
      if (accumulate) total[r][vectors - 1] = add(load(end), total[r][vectors - 1]);
      store(end, total[r][vectors - 1]);
    } else {
      if (accumulate) total[r][vectors - 1] = add(load(end, mask), total[r][vectors - 1]);
      store(end, total[r][vectors - 1], mask);
    }
  }
}

using Tile = void (*)(const float*, int64_t, int64_t, const float*, float*, int64_t, int64_t, int64_t, bool,
                      const float*);

template <int vectors>
Tile tile_of(int64_t rows) {
  constexpr Tile tiles[tile_rows] = {tile<1, vectors>, tile<2, vectors>, tile<3, vectors>,
                                     tile<4, vectors>, tile<5, vectors>, tile<6, vectors>};
  return tiles[rows - 1];
}

Tile tile_of(int64_t rows, int64_t vectors) {
  if constexpr (tile_vectors == 4) {
    if (vectors == 4) return tile_of<4>(rows);
    if (vectors == 3) return tile_of<3>(rows);
  }
  return vectors == 2 ? tile_of<2>(rows) : tile_of<1>(rows);
}

void multiply(const float* a, int64_t a_row, int64_t a_column, const float* packed, float* c,
              int64_t c_stride, int64_t rows, int64_t columns, int64_t depth, Store how, const float* bias) {
  for (int64_t r = 0; r < rows;) {
    const int64_t left = rows - r;
    const int64_t height = left <= tile_rows ? left : left < 2 * tile_rows ? (left + 1) / 2 : tile_rows;
    for (int64_t j = 0; j < columns; j += panel_columns) {
      const int64_t panel = smaller(panel_columns, columns - j), vectors = (panel + width - 1) / width;
      tile_of(height, vectors)(a + r * a_row, a_row, a_column, packed + j * depth, c + r * c_stride + j,
                               c_stride, depth, panel - (vectors - 1) * width, how == Store::accumulate,
                               bias ? bias + j : nullptr);
    }
    r += height;
  }
}

void multiply_packed(const float* left, const float* packed, float* c, int64_t c_stride, int64_t rows,
                     int64_t columns, int64_t depth, Store how) {
  for (int64_t j = 0; j < columns; j += panel_columns) {
    const int64_t panel = smaller(panel_columns, columns - j), vectors = (panel + width - 1) / width;
    for (int64_t r = 0; r < rows; r += tile_rows)
      tile_of(smaller(tile_rows, rows - r), vectors)(
          left + r * depth, 1, tile_rows, packed + j * depth, c + r * c_stride + j, c_stride, depth,
          panel - (vectors - 1) * width, how == Store::accumulate, nullptr);
  }
}

}  // namespace
}  // namespace distiltune::kernels
