#include "gemm_scalar.h"

#include "inner_scalar.h"

namespace distiltune::kernels::scalar {

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

void multiply(const float* a, int64_t a_stride, const float* packed, float* c, int64_t c_stride, int64_t rows,
              int64_t columns, int64_t depth, Store store, const float* bias, Ahead) {
  multiply(a, a_stride, packed, c, c_stride, rows, columns, depth, store, bias,
           [](float& total, float left, float right) { total += left * right; });
}

void multiply_packed(const float* left, const float* packed, float* c, int64_t c_stride, int64_t rows,
                     int64_t columns, int64_t depth, Store store, Ahead) {
  multiply(left, depth, packed, c, c_stride, rows, columns, depth, store, nullptr, {});
}

}  // namespace distiltune::kernels::scalar
