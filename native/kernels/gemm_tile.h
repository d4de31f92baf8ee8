#pragma once
#include "compiler.h"
#include "inner.h"
#include "strips.h"

// Products of packed operands, whatever they are packed to. Included after vector_avx2.h, vector_avx512.h or
// vector_neon.h.

namespace distiltune::kernels {
namespace {

/** What a Kind of operands packs its values to. It has functions of a vector of them: load(from), set(one)
 * and add_product(left, right, total), which adds the product of each lane to a lane of floats; and how many
 * `steps` along the depth a tile's loop takes in a turn. */
template <typename Kind>
using Value = typename Kind::Value;

// Panels of panel_columns columns, the last narrower but a multiple of width: (panels, depth, panel_columns).
constexpr int64_t panel_columns = tile_vectors * width;

// A left operand of so many values (256 KiB) stays in the second-level cache while panel after panel passes
// by. Of a larger one each strip of rows meets all panels while it is in the first-level cache.
constexpr int64_t near_values = 1 << 16;

// Rows of a matrix lie pages apart, where the machine's own prefetch does not follow: packing asks for them
// ahead.
constexpr int64_t rows_ahead = 16;

int64_t round_up(int64_t columns) { return (columns + width - 1) / width * width; }
int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

/** sums (columns) += the sum of each column of b (depth, columns). */
void add_sums(const float* b, int64_t stride, int64_t depth, int64_t columns, float* sums) {
  for (int64_t j = 0; j < columns; j += width) {
    const Mask mask = first(smaller(width, columns - j));
    Vec total = zero();
    for (int64_t p = 0; p < depth; ++p) total = add(total, load(b + p * stride + j, mask));
    store(sums + j, add(load(sums + j, mask), total), mask);
  }
}

/** `rows` rows of c by `vectors` vectors of columns, of which the last has `last` lanes in use. Rows of a lie
 * `a_stride` apart, unless it is packed as left operand. */
template <typename Kind, int rows, int vectors, bool packed>
DISTILTUNE_NOINLINE void tile(const Value<Kind>* a, int64_t a_stride, const Value<Kind>* b, float* c,
                              int64_t c_stride, int64_t depth, int64_t last, Store how, const float* bias,
                              Lines& lines) {
  constexpr int64_t a_column = packed ? tile_rows : 1;
  const int64_t a_row = packed ? 1 : a_stride;
  const bool accumulate = how == Store::accumulate;
  const auto put = [how](float* to, Vec v) { how == Store::stream ? stream(to, v) : store(to, v); };
  Vec total[rows][vectors];
  const Mask mask = first(last);
  DISTILTUNE_UNROLL
  for (int v = 0; v < vectors; ++v) {
    Vec start = zero();
    if (bias) start = v == vectors - 1 ? load(bias + v * width, mask) : load(bias + v * width);
    DISTILTUNE_UNROLL
    for (int r = 0; r < rows; ++r) total[r][v] = start;
  }
  if (accumulate) {
    DISTILTUNE_UNROLL
    for (int r = 0; r < rows; ++r) {
      DISTILTUNE_UNROLL
      for (int v = 0; v < vectors; ++v) prefetch(c + r * c_stride + v * width);
    }
  }
  const auto step = [&](const Value<Kind>* left_at, const Value<Kind>* right_at) {
    Vec right[vectors];
    DISTILTUNE_UNROLL
    for (int v = 0; v < vectors; ++v) right[v] = Kind::load(right_at + v * width);
    DISTILTUNE_UNROLL
    for (int r = 0; r < rows; ++r) {
      const Vec left = Kind::set(left_at[r * a_row]);
      DISTILTUNE_UNROLL
      for (int v = 0; v < vectors; ++v) total[r][v] = Kind::add_product(left, right[v], total[r][v]);
    }
  };
  const int64_t apart = lines.each() > 0 ? (depth + lines.each() - 1) / lines.each() : 0;
  for (int64_t p = 0; p < depth;) {
    int64_t end = depth;
    if (apart > 0) {
      end = smaller(depth, p + apart);
      lines.fetch();
    }
    for (; p + Kind::steps <= end; p += Kind::steps) {
      DISTILTUNE_UNROLL
      for (int i = 0; i < Kind::steps; ++i) step(a + i * a_column, b + i * vectors * width);
      a += Kind::steps * a_column;
      b += Kind::steps * vectors * width;
    }
    for (; p < end; ++p) {
      step(a, b);
      a += a_column;
      b += vectors * width;
    }
  }
  DISTILTUNE_UNROLL
  for (int r = 0; r < rows; ++r) {
    float* out = c + r * c_stride;
    DISTILTUNE_UNROLL
    for (int v = 0; v < vectors - 1; ++v) {
      if (accumulate) total[r][v] = add(load(out + v * width), total[r][v]);
      put(out + v * width, total[r][v]);
    }
    float* end = out + (vectors - 1) * width;
    if (last == width) {  // masked stores are slow on older machines
      if (accumulate) total[r][vectors - 1] = add(load(end), total[r][vectors - 1]);
      put(end, total[r][vectors - 1]);
    } else {
      if (accumulate) total[r][vectors - 1] = add(load(end, mask), total[r][vectors - 1]);
      store(end, total[r][vectors - 1], mask);
    }
  }
}

template <typename Kind>
using Tile = void (*)(const Value<Kind>*, int64_t, const Value<Kind>*, float*, int64_t, int64_t, int64_t,
                      Store, const float*, Lines&);

template <typename Kind, bool packed, int vectors>
Tile<Kind> tile_of(int64_t rows) {
  constexpr Tile<Kind> tiles[tile_rows] = {tile<Kind, 1, vectors, packed>, tile<Kind, 2, vectors, packed>,
                                           tile<Kind, 3, vectors, packed>, tile<Kind, 4, vectors, packed>,
                                           tile<Kind, 5, vectors, packed>, tile<Kind, 6, vectors, packed>};
  return tiles[rows - 1];
}

template <typename Kind, bool packed>
Tile<Kind> tile_of(int64_t rows, int64_t vectors) {
  if constexpr (tile_vectors == 4) {
    if (vectors == 4) return tile_of<Kind, packed, 4>(rows);
    if (vectors == 3) return tile_of<Kind, packed, 3>(rows);
  }
  return vectors == 2 ? tile_of<Kind, packed, 2>(rows) : tile_of<Kind, packed, 1>(rows);
}

template <typename Kind>
void multiply(const Value<Kind>* a, int64_t a_stride, const Value<Kind>* packed, float* c, int64_t c_stride,
              int64_t rows, int64_t columns, int64_t depth, Store how, const float* bias, Ahead ahead) {
  const int64_t strips = (rows + tile_rows - 1) / tile_rows,
                panels = (columns + panel_columns - 1) / panel_columns;
  Lines lines(ahead, strips * panels);
  const int64_t together = rows * depth <= near_values ? panel_columns : columns;
  for (int64_t first_column = 0; first_column < columns; first_column += together) {
    const int64_t end_column = smaller(columns, first_column + together);
    for (int64_t r = 0; r < rows;) {
      const int64_t height = strip_rows(rows - r);
      for (int64_t j = first_column; j < end_column; j += panel_columns) {
        const int64_t panel = smaller(panel_columns, columns - j), vectors = (panel + width - 1) / width;
        tile_of<Kind, false>(height, vectors)(
            a + r * a_stride, a_stride, packed + j * depth, c + r * c_stride + j, c_stride, depth,
            panel - (vectors - 1) * width, how, bias ? bias + j : nullptr, lines);
      }
      r += height;
    }
  }
}

template <typename Kind>
void multiply_packed(const Value<Kind>* left, const Value<Kind>* packed, float* c, int64_t c_stride,
                     int64_t rows, int64_t columns, int64_t depth, Store how, Ahead ahead) {
  const int64_t strips = (rows + tile_rows - 1) / tile_rows;
  const bool whole_vectors =
      reinterpret_cast<uintptr_t>(c) % (width * sizeof *c) == 0 && c_stride % width == 0;
  if (how == Store::stream && !whole_vectors) how = Store::overwrite;
  for (int64_t j = 0; j < columns; j += panel_columns) {
    const int64_t panel = smaller(panel_columns, columns - j), vectors = (panel + width - 1) / width;
    const int64_t bytes = panel_columns * depth * static_cast<int64_t>(sizeof *packed);
    Lines lines(j + panel < columns ? Ahead{packed + (j + panel) * depth, bytes} : ahead, strips);
    for (int64_t r = 0; r < rows; r += tile_rows)
      tile_of<Kind, true>(smaller(tile_rows, rows - r), vectors)(
          left + r * depth, 0, packed + j * depth, c + r * c_stride + j, c_stride, depth,
          panel - (vectors - 1) * width, how, nullptr, lines);
  }
  if (how == Store::stream) end_stream();
}

}  // namespace
}  // namespace distiltune::kernels
