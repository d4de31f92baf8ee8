#pragma once
#include <cstdint>
#include <vector>

#include "thread_pool.h"

namespace distiltune::kernels {

// The three products of gemm.h on operands rounded to bfloat16, added up in floats (inner_bf16.h), of the
// same contracts. dbias is the sum of dy as it was before it was rounded.

void linear_bf16(ThreadPool& pool, const float* x, int64_t x_stride, const float* w, const float* bias,
                 float* y, int64_t y_stride, int64_t m, int64_t n, int64_t k);
void linear_backward_input_bf16(ThreadPool& pool, const float* dy, int64_t dy_stride, const float* w,
                                float* dx, int64_t dx_stride, int64_t m, int64_t n, int64_t k,
                                bool accumulate);
void linear_backward_weight_bf16(ThreadPool& pool, const float* dy, int64_t dy_stride, const float* x,
                                 int64_t x_stride, float* dw, float* dbias, int64_t m, int64_t n, int64_t k,
                                 bool accumulate);

/** Rows of activations as words (bf16.h), for any number of products with them. */
class Bf16Rows {
 public:
  /** From x (rows, k) with row stride `stride`. */
  void set(ThreadPool& pool, const float* x, int64_t stride, int64_t rows, int64_t k);

  const uint32_t* words() const { return words_.data(); }
  /** Between rows of words(). */
  int64_t stride() const { return stride_; }

 private:
  int64_t stride_ = 0;
  std::vector<uint32_t> words_;
};

}  // namespace distiltune::kernels
