#pragma once
#include <algorithm>

#include "inner.h"

namespace distiltune::kernels::scalar {

// Packed columns lie in panels of 16, the last narrower: (columns / 16, depth, 16).
constexpr int64_t panel_columns = 16;

/** Inner::multiply of any kind of packed value; `add(total, left, right)` adds the product of two to a sum.
 */
template <typename Value, typename Add>
void multiply(const Value* a, int64_t a_stride, const Value* packed, float* c, int64_t c_stride, int64_t rows,
              int64_t columns, int64_t depth, Store store, const float* bias, const Add& add) {
  for (int64_t j = 0; j < columns; j += panel_columns) {
    const int64_t width = std::min(panel_columns, columns - j);
    for (int64_t r = 0; r < rows; ++r) {
      float total[panel_columns] = {};
      if (bias) std::copy_n(bias + j, width, total);
      for (int64_t p = 0; p < depth; ++p) {
        const Value left = a[r * a_stride + p], *right = packed + j * depth + p * width;
        for (int64_t i = 0; i < width; ++i) add(total[i], left, right[i]);
      }
      float* out = c + r * c_stride + j;
      for (int64_t i = 0; i < width; ++i) out[i] = store == Store::accumulate ? out[i] + total[i] : total[i];
    }
  }
}

}  // namespace distiltune::kernels::scalar
