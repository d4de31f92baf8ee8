#include "gemm.h"

#include "gemm_tasks.h"
#include "inner.h"

namespace distiltune::kernels {

void linear(ThreadPool& pool, const float* x, int64_t x_stride, const float* w, const float* bias, float* y,
            int64_t y_stride, int64_t m, int64_t n, int64_t k) {
  linear(pool, inner(), x, x_stride, w, bias, y, y_stride, m, n, k);
}

void linear_backward_input(ThreadPool& pool, const float* dy, int64_t dy_stride, const float* w, float* dx,
                           int64_t dx_stride, int64_t m, int64_t n, int64_t k, bool accumulate) {
  linear_backward_input(pool, inner(), dy, dy_stride, w, dx, dx_stride, m, n, k, accumulate);
}

void linear_backward_weight(ThreadPool& pool, const float* dy, int64_t dy_stride, const float* x,
                            int64_t x_stride, float* dw, float* dbias, int64_t m, int64_t n, int64_t k,
                            bool accumulate) {
  linear_backward_weight(pool, inner(), dy, dy_stride, x, x_stride, dw, dbias, m, n, k, accumulate);
}

}  // namespace distiltune::kernels
