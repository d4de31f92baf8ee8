#include <algorithm>

#include "bf16.h"
#include "gemm_scalar.h"
#include "inner_bf16.h"

namespace distiltune::kernels {
namespace {

using scalar::panel_columns;

void words(const float* row, int64_t n, uint32_t* to) {
  for (int64_t i = 0; i < n; i += 2) *to++ = word(row[i], i + 1 < n ? row[i + 1] : 0);
}

/** `value(p, j)` is what lies at depth p in column j. */
template <typename At>
void pack_panels(const At& value, int64_t depth, int64_t columns, uint32_t* packed) {
  for (int64_t j = 0; j < columns; j += panel_columns) {
    const int64_t end = std::min(columns, j + panel_columns);
    for (int64_t p = 0; p < depth; p += 2) {
      for (int64_t i = j; i < end; ++i) *packed++ = word(value(p, i), p + 1 < depth ? value(p + 1, i) : 0);
    }
  }
}

void pack(const float* b, int64_t stride, int64_t depth, int64_t columns, uint32_t* packed) {
  pack_panels([=](int64_t p, int64_t j) { return b[p * stride + j]; }, depth, columns, packed);
}

void pack_transposed(const float* bt, int64_t stride, int64_t depth, int64_t columns, uint32_t* packed) {
  pack_panels([=](int64_t p, int64_t j) { return bt[j * stride + p]; }, depth, columns, packed);
}

void pack_left(const float* b, int64_t stride, int64_t depth, int64_t columns, uint32_t* packed,
               float* sums) {
  for (int64_t j = 0; j < columns; ++j) {
    float total = 0;
    for (int64_t p = 0; p < depth; ++p) total += b[p * stride + j];
    if (sums) sums[j] += total;
    for (int64_t p = 0; p < depth; p += 2)
      *packed++ = word(b[p * stride + j], p + 1 < depth ? b[(p + 1) * stride + j] : 0);
  }
}

void multiply(const uint32_t* a, int64_t a_stride, const uint32_t* packed, float* c, int64_t c_stride,
              int64_t rows, int64_t columns, int64_t depth, Store store, const float* bias, Ahead) {
  scalar::multiply(a, a_stride, packed, c, c_stride, rows, columns, depth, store, bias,
                   [](float& total, uint32_t left, uint32_t right) {
                     // Products of two bfloat16 are exact: a sum, rounded once.
                     total += second_of(left) * second_of(right);
                     total += first_of(left) * first_of(right);
                   });
}

void multiply_packed(const uint32_t* left, const uint32_t* packed, float* c, int64_t c_stride, int64_t rows,
                     int64_t columns, int64_t depth, Store store, Ahead) {
  multiply(left, depth, packed, c, c_stride, rows, columns, depth, store, nullptr, {});
}

}  // namespace

extern const InnerBf16 inner_bf16_scalar;
const InnerBf16 inner_bf16_scalar = {Bf16Isa::scalar, 1,         words,    pack,
                                     pack_transposed, pack_left, multiply, multiply_packed};

}  // namespace distiltune::kernels
