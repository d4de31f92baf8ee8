#include <algorithm>

#include "inner_int8.h"

namespace distiltune::kernels {
namespace {

constexpr int64_t panel_columns = 16;

void multiply(const uint8_t* a, int64_t a_stride, const int8_t* packed, const Int8Scales& scales, float* y,
              int64_t y_stride, int64_t rows, int64_t columns, int64_t depth, Ahead) {
  for (int64_t j = 0; j < columns; j += panel_columns) {
    for (int64_t r = 0; r < rows; ++r) {
      int32_t total[panel_columns] = {};
      for (int64_t p = 0; p < depth; ++p) {
        const int8_t* w = packed + j * depth + (p / 4 * panel_columns) * 4 + p % 4;
        for (int64_t i = 0; i < panel_columns; ++i) total[i] += a[r * a_stride + p] * w[i * 4];
      }
      for (int64_t i = 0; i < std::min(panel_columns, columns - j); ++i) {
        const int32_t exact = total[i] - scales.zeros[r] * scales.column_sums[j + i];
        const float scale = scales.row_scales[r] * scales.column_scales[j + i];
        y[r * y_stride + j + i] = static_cast<float>(exact) * scale + scales.bias[j + i];
      }
    }
  }
}

}  // namespace

extern const InnerInt8 inner_int8_scalar;
const InnerInt8 inner_int8_scalar = {Int8Isa::scalar, panel_columns, multiply};

}  // namespace distiltune::kernels
