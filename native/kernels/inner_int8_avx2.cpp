#include <algorithm>

#include "compiler.h"
#include "int8_ymm.h"
#include "scratch.h"

namespace distiltune::kernels {
namespace {

// One row at a time against weights that stay in the first-level cache (24 KiB): four sums, four bytes of the
// row four times over and the rest from memory leave no register to spill, and every row has the same loop.
// Measured on Zen 3 in products a cycle: 43, tiles of 2, 3 and 4 rows by two vectors 40, 35 and 34, widening
// every pair 30.
constexpr int64_t vectors = 4;
constexpr int64_t panel_columns = 8 * vectors;
constexpr int64_t depth_limit = 768;

/** Adds products of `depth` places to the sums of a panel, from zero or from `totals`. The rule for groups
 * (gemm_int8.h) keeps four pairs of products within 16 bits. */
DISTILTUNE_NOINLINE void add_products(const uint8_t* a, const int8_t* packed, int64_t depth,
                                      const __m256i* from, __m256i* totals) {
  __m256i total[vectors];
  DISTILTUNE_UNROLL
  for (int v = 0; v < vectors; ++v) total[v] = from ? _mm256_load_si256(from + v) : _mm256_setzero_si256();
  const __m256i one = _mm256_set1_epi16(1);
  const auto* w = reinterpret_cast<const __m256i*>(packed);
  const auto step = [&](const uint8_t* left, const __m256i* right) {
    const __m256i a0 = four_bytes(left), a1 = four_bytes(left + 4), a2 = four_bytes(left + 8),
                  a3 = four_bytes(left + 12);
    DISTILTUNE_UNROLL
    for (int v = 0; v < vectors; ++v) {
      const __m256i low =
          _mm256_add_epi16(_mm256_maddubs_epi16(a0, right[v]), _mm256_maddubs_epi16(a1, right[vectors + v]));
      const __m256i high = _mm256_add_epi16(_mm256_maddubs_epi16(a2, right[2 * vectors + v]),
                                            _mm256_maddubs_epi16(a3, right[3 * vectors + v]));
      total[v] = _mm256_add_epi32(total[v], _mm256_madd_epi16(_mm256_add_epi16(low, high), one));
    }
  };
  int64_t p = 0;
  for (; p + 32 <= depth; p += 32, w += 8 * vectors) {  // two steps a turn, as in tiles of floats
    step(a + p, w);
    step(a + p + 16, w + 4 * vectors);
  }
  if (p < depth) step(a + p, w);
  DISTILTUNE_UNROLL
  for (int v = 0; v < vectors; ++v) _mm256_store_si256(totals + v, total[v]);
}

void multiply(const uint8_t* a, int64_t a_stride, const int8_t* packed, const Int8Scales& scales, float* y,
              int64_t y_stride, int64_t rows, int64_t columns, int64_t depth, Ahead ahead) {
  auto* totals = reinterpret_cast<__m256i*>(scratch(Scratch::partial, rows * panel_columns));
  for (int64_t j = 0; j < columns; j += panel_columns) {
    for (int64_t p = 0; p < depth; p += depth_limit) {
      const int64_t part = std::min(depth_limit, depth - p);
      const int8_t* w = packed + j * depth + p * panel_columns;
      const bool last = j + panel_columns >= columns && p + part >= depth;
      // Weights lie one behind the other, and the next are as many as these or fewer.
      Lines lines(last ? ahead : Ahead{w + part * panel_columns, part * panel_columns}, rows);
      for (int64_t r = 0; r < rows; ++r) {
        lines.fetch_turn();
        __m256i* sums = totals + r * vectors;
        add_products(a + r * a_stride + p, w, part, p > 0 ? sums : nullptr, sums);
        if (p + part < depth) continue;
        for (int v = 0; v < vectors && j + 8 * v < columns; ++v)
          store(sums[v], scales, r, j + 8 * v, y + r * y_stride + j + 8 * v, columns - j - 8 * v);
      }
    }
  }
}

}  // namespace

extern const InnerInt8 inner_int8_avx2;
const InnerInt8 inner_int8_avx2 = {Int8Isa::avx2, panel_columns, multiply};

}  // namespace distiltune::kernels
