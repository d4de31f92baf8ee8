#pragma once
#include <cstdint>

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

}  // namespace distiltune::kernels
