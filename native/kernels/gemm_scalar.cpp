#include <algorithm>

#include "inner_scalar.h"

namespace distiltune::kernels::scalar {

// Panels of 16 columns, the last narrower: (columns / 16, depth, 16).
constexpr int64_t panel_columns = 16;

void pack(const float* b, int64_t stride, int64_t depth, int64_t columns, float* packed) {
  for (int64_t j = 0; j < columns; j += panel_columns) {
    const int64_t width = std::min(panel_columns, columns - j);
    for (int64_t p = 0; p < depth; ++p) packed = std::copy_n(b + p * stride + j, width, packed);
  }
}

void pack_transposed(const float* bt, int64_t stride, int64_t depth, int64_t columns, float* packed) {
  for (int64_t j = 0; j < columns; j += panel_columns) {
    const int64_t width = std::min(panel_columns, columns - j);
    for (int64_t p = 0; p < depth; ++p) {
      for (int64_t i = 0; i < width; ++i) *packed++ = bt[(j + i) * stride + p];
    }
  }
}

void pack_left(const float* b, int64_t stride, int64_t depth, int64_t columns, float* packed, float* sums) {
  for (int64_t j = 0; j < columns; ++j) {
    float total = 0;
    for (int64_t p = 0; p < depth; ++p) total += packed[j * depth + p] = b[p * stride + j];
    if (sums) sums[j] += total;
  }
}

void multiply(const float* a, int64_t a_row, int64_t a_column, const float* packed, float* c,
              int64_t c_stride, int64_t rows, int64_t columns, int64_t depth, Store store,
              const float* bias) {
  for (int64_t j = 0; j < columns; j += panel_columns) {
    const int64_t width = std::min(panel_columns, columns - j);
    for (int64_t r = 0; r < rows; ++r) {
      float total[panel_columns] = {};
      if (bias) std::copy_n(bias + j, width, total);
      for (int64_t p = 0; p < depth; ++p) {
        const float factor = a[r * a_row + p * a_column];
        for (int64_t i = 0; i < width; ++i) total[i] += factor * packed[j * depth + p * width + i];
      }
      float* out = c + r * c_stride + j;
      for (int64_t i = 0; i < width; ++i) out[i] = store == Store::accumulate ? out[i] + total[i] : total[i];
    }
  }
}

void multiply_packed(const float* left, const float* packed, float* c, int64_t c_stride, int64_t rows,
                     int64_t columns, int64_t depth, Store store) {
  multiply(left, depth, 1, packed, c, c_stride, rows, columns, depth, store, nullptr);
}

}  // namespace distiltune::kernels::scalar
