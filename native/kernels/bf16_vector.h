#pragma once
#include <cstring>

#include "gemm_tile.h"
#include "inner_bf16.h"

// Included after vector_avx2.h or vector_avx512.h and these words about vectors of bfloat16 (bf16.h):
//   Vec words(Vec first, Vec second)              rounds them and joins each pair of lanes to a word
//   Vec neighbours_words(Vec a, Vec b)            the words of 2 * width values in a row
//   Vec set_bits(uint32_t word)                   the word in every lane
//   Vec add_dot(Vec left, Vec right, Vec total)   adds the products of words (inner_bf16.h) to floats

namespace distiltune::kernels {
namespace {

/** Operands of words. */
struct Words {
  using Value = uint32_t;
  static Vec load(const uint32_t* from) { return kernels::load(reinterpret_cast<const float*>(from)); }
  static Vec set(uint32_t word) { return set_bits(word); }
  static Vec add_product(Vec left, Vec right, Vec total) { return add_dot(left, right, total); }
  static constexpr int steps = 1;
};
inline void store(uint32_t* to, Vec words) { store(reinterpret_cast<float*>(to), words); }
inline void store(uint32_t* to, Vec words, Mask mask) { store(reinterpret_cast<float*>(to), words, mask); }

constexpr int64_t step = InnerBf16::step;
int64_t words_of(int64_t values) { return (values + 1) / step; }

/** The words of up to 2 * width values in a row. */
inline Vec row_words(const float* from, int64_t n) {
  if (n >= step * width) return neighbours_words(load(from), load(from + width));
  if (n > width) return neighbours_words(load(from), load(from + width, first(n - width)));
  return neighbours_words(load(from, first(n)), zero());
}

/** The words of two rows, the second of which may be null. */
inline Vec column_words(const float* a, const float* b) { return words(load(a), b ? load(b) : zero()); }
inline Vec column_words(const float* a, const float* b, Mask mask) {
  return words(load(a, mask), b ? load(b, mask) : zero());
}

void row_to_words(const float* row, int64_t n, uint32_t* to) {
  for (int64_t i = 0; i < n; i += step * width, to += width) {
    const int64_t count = words_of(n - i);
    if (count >= width) {
      store(to, row_words(row + i, n - i));
    } else {
      store(to, row_words(row + i, n - i), first(count));
    }
  }
}

/** Rows p and p + 1 of b; the second is null where there is none. */
struct Pair {
  Pair(const float* b, int64_t stride, int64_t depth, int64_t p)
      : first(b + p * stride), second(p + 1 < depth ? first + stride : nullptr) {}
  /** Asks for the rows that are packed some pairs later. */
  void fetch_ahead(int64_t stride, int64_t column, int64_t columns) const {
    for (int64_t line = column; line < column + columns; line += 16) {
      prefetch(first + rows_ahead * stride + line);
      prefetch(first + (rows_ahead + 1) * stride + line);
    }
  }
  Vec words(int64_t j) const { return column_words(first + j, second ? second + j : nullptr); }
  Vec words(int64_t j, Mask mask) const {
    return column_words(first + j, second ? second + j : nullptr, mask);
  }

  const float *first, *second;
};

void pack(const float* b, int64_t stride, int64_t depth, int64_t columns, uint32_t* packed) {
  for (int64_t p = 0; p < depth; p += step) {
    const Pair rows(b, stride, depth, p);
    rows.fetch_ahead(stride, 0, columns);
    for (int64_t j = 0; j < columns; j += panel_columns) {
      const int64_t end = smaller(columns, j + panel_columns);
      uint32_t* to = packed + j * words_of(depth) + p / step * round_up(end - j);
      int64_t i = j;
      for (; i + width <= end; i += width, to += width) store(to, rows.words(i));
      if (i < end) store(to, rows.words(i, first(end - i)));
    }
  }
}

void pack_transposed(const float* bt, int64_t stride, int64_t depth, int64_t columns, uint32_t* packed) {
  for (int64_t j = 0; j < columns; j += panel_columns) {
    const int64_t end = smaller(columns, j + panel_columns), packed_columns = round_up(end - j);
    for (int64_t i = j; i < end; i += width) {
      const int64_t rows = smaller(width, end - i);
      for (int64_t p = 0; p < depth; p += step * width) {
        Vec block[width];
        for (int64_t r = 0; r < width; ++r) {
          const float* row = bt + (i + r) * stride + p;
          prefetch(row + width * stride);
          prefetch(row + width * stride + width);
          block[r] = r < rows ? row_words(row, depth - p) : zero();
        }
        transpose(block);
        uint32_t* to = packed + p / step * packed_columns + (i - j);
        const int64_t count = smaller(width, words_of(depth - p));
        for (int64_t r = 0; r < count; ++r) store(to + r * packed_columns, block[r]);
      }
    }
    packed += words_of(depth) * packed_columns;
  }
}

void pack_left(const float* b, int64_t stride, int64_t depth, int64_t columns, uint32_t* packed,
               float* sums) {
  constexpr int64_t part = 96;     // whole vectors and whole tiles
  constexpr int64_t together = 8;  // lines: what was just stored is slow to load in other pieces
  static_assert(part % width == 0 && part % tile_rows == 0, "a part is cut into both");
  const int64_t depth_words = words_of(depth);
  for (int64_t first_line = 0; first_line < depth_words; first_line += together) {
    const int64_t lines = smaller(together, depth_words - first_line);
    for (int64_t j = 0; j < columns; j += part) {
      const int64_t count = smaller(part, columns - j);
      uint32_t line[together][part];
      for (int64_t l = 0; l < lines; ++l) {
        const Pair rows(b, stride, depth, (first_line + l) * step);
        rows.fetch_ahead(stride, j, count);
        for (int64_t i = 0; i < count; i += width)
          store(line[l] + i, count - i >= width ? rows.words(j + i) : rows.words(j + i, first(count - i)));
      }
      for (int64_t i = 0; i < count; i += tile_rows) {
        uint32_t* to = packed + (j + i) * depth_words + first_line * tile_rows;
        for (int64_t l = 0; l < lines; ++l, to += tile_rows) {
          if (count - i >= tile_rows) {
            std::memcpy(to, line[l] + i, tile_rows * sizeof *to);
          } else {
            for (int64_t r = 0; i + r < count; ++r) to[r] = line[l][i + r];
          }
        }
      }
    }
  }
  if (sums) add_sums(b, stride, depth, columns, sums);
}

constexpr InnerBf16 loops(Bf16Isa isa) {
  return {isa,       width,           row_to_words,          pack, pack_transposed,
          pack_left, multiply<Words>, multiply_packed<Words>};
}

}  // namespace
}  // namespace distiltune::kernels
