#pragma once
#include <cstddef>
#include <cstdint>

#include "after.h"
#include "inner.h"
#include "inner_bf16.h"
#include "thread_pool.h"

namespace distiltune::kernels {

/** A linear layer whose weights were laid out once for the tiles of its product, for forward passes that use
 * them many times. Same bits as the product that packs as it goes. Loops is the table of inner loops in use,
 * so what is packed belongs to the instruction set. A view: the memory belongs to whoever packed it. */
template <typename Loops>
class PackedLinear {
 public:
  using Value = typename Loops::Value;

  /** Bytes of a packed layer. */
  static size_t bytes(int64_t outputs, int64_t inputs);
  /** Lays w (outputs, inputs) and bias (outputs) out at `to`, aligned to 64. */
  static void pack(const float* w, const float* bias, int64_t outputs, int64_t inputs, void* to);

  /** `packed` as pack() left it. */
  PackedLinear(const void* packed, int64_t outputs, int64_t inputs);

  /** y (m, outputs) = after(x (m, inputs) · wᵀ + bias), with rows of x as many Values apart. */
  void apply(ThreadPool& pool, const Value* x, int64_t x_stride, float* y, int64_t y_stride, int64_t m,
             After after = After::nothing) const;

 private:
  const void* packed_;
  int64_t outputs_, inputs_;
};

/** Same bits as linear(). */
using FloatLinear = PackedLinear<Inner>;
/** Weights rounded to words, half the bytes; x is Bf16Rows. Same bits as linear_bf16(). */
using Bf16Linear = PackedLinear<InnerBf16>;

}  // namespace distiltune::kernels
