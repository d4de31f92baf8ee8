#pragma once
#include <cstdint>

#include "inner.h"

namespace distiltune::kernels {

/**
 * Inner loops of one thread for products of operands rounded to bfloat16, once per instruction set that
 * multiplies them: what Inner has for floats, with words (bf16.h) for packed values. A product adds to its
 * sum, for each word in rising order, the product of the second halves and then that of the first, each
 * rounded once to float: the order of VDPBF16PS, which takes numbers below 1.2e-38 for zero and is the only
 * one to do so. Depths of what is packed count values, of what is multiplied words.
 */
struct InnerBf16 {
  using Value = uint32_t;
  static constexpr int64_t step = 2;

  Bf16Isa isa;
  int64_t width;

  /** to (ceil(n / 2)) = the words of a row of n values. */
  void (*words)(const float* row, int64_t n, uint32_t* to);
  void (*pack)(const float* b, int64_t stride, int64_t depth, int64_t columns, uint32_t* packed);
  void (*pack_transposed)(const float* bt, int64_t stride, int64_t depth, int64_t columns, uint32_t* packed);
  /** The sums are of the values before they are rounded. */
  void (*pack_left)(const float* b, int64_t stride, int64_t depth, int64_t columns, uint32_t* packed,
                    float* sums);
  void (*multiply)(const uint32_t* a, int64_t a_stride, const uint32_t* packed, float* c, int64_t c_stride,
                   int64_t rows, int64_t columns, int64_t depth, Store store, const float* bias, Ahead ahead);
  void (*multiply_packed)(const uint32_t* left, const uint32_t* packed, float* c, int64_t c_stride,
                          int64_t rows, int64_t columns, int64_t depth, Store store, Ahead ahead);
};

/** The loops of `isa`, or the next lower ones that were compiled in. */
const InnerBf16& inner_bf16(Bf16Isa isa);
/** The loops every product uses: those of bf16_isa() until use() names others. */
const InnerBf16& inner_bf16();
/** For tests and measurements; not while an operation runs. */
void use(Bf16Isa isa);

}  // namespace distiltune::kernels
