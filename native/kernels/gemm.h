#pragma once
#include <cstddef>
#include <cstdint>

#include "after.h"
#include "thread_pool.h"

namespace distiltune::kernels {

// Row-major float matrices; a stride counts elements between rows. A row's products are added in the same
// order whatever the number of rows and wherever the row stands, so a text alone and the same text in a batch
// get the same bits.

/** y (m, n) = x (m, k) · wᵀ + bias, with w (n, k) contiguous and bias (n) or null. y may not alias x. */
void linear(ThreadPool& pool, const float* x, int64_t x_stride, const float* w, const float* bias, float* y,
            int64_t y_stride, int64_t m, int64_t n, int64_t k);

/** dx (m, k) = dy (m, n) · w, with w (n, k) contiguous; adds to dx where `accumulate`. */
void linear_backward_input(ThreadPool& pool, const float* dy, int64_t dy_stride, const float* w, float* dx,
                           int64_t dx_stride, int64_t m, int64_t n, int64_t k, bool accumulate);

/** dw (n, k) = dyᵀ · x and dbias (n) = column sums of dy (m, n); adds to both where `accumulate`; dbias may
 * be null. dw is contiguous. */
void linear_backward_weight(ThreadPool& pool, const float* dy, int64_t dy_stride, const float* x,
                            int64_t x_stride, float* dw, float* dbias, int64_t m, int64_t n, int64_t k,
                            bool accumulate);

/** A linear layer whose weights were laid out once for the tiles of linear(), for forward passes that use
 * them many times. Same bits as linear(). A view: the memory belongs to whoever packed it. */
class PackedLinear {
 public:
  /** Bytes of a packed layer. */
  static size_t bytes(int64_t outputs, int64_t inputs);
  /** Lays w (outputs, inputs) and bias (outputs) out at `to`, aligned to 64. */
  static void pack(const float* w, const float* bias, int64_t outputs, int64_t inputs, void* to);

  /** `packed` as pack() left it. */
  PackedLinear(const void* packed, int64_t outputs, int64_t inputs);

  /** y (m, outputs) = after(x (m, inputs) · wᵀ + bias) */
  void apply(ThreadPool& pool, const float* x, int64_t x_stride, float* y, int64_t y_stride, int64_t m,
             After after = After::nothing) const;

 private:
  const float* packed_;
  int64_t outputs_, inputs_;
};

}  // namespace distiltune::kernels
