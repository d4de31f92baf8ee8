#include "gemm_bf16.h"

#include "gemm_tasks.h"
#include "inner_bf16.h"

namespace distiltune::kernels {
namespace {

/** The words of a left operand, for all tasks of a product: it belongs to the thread that calls the product,
 * until its next one. */
struct LeftWords {
  LeftWords(ThreadPool& pool, const InnerBf16& loops, const float* a, int64_t a_stride, int64_t rows,
            int64_t depth)
      : stride(ceil_div(depth, InnerBf16::step)), words(scratch_of<uint32_t>(Scratch::words, rows * stride)) {
    const Cut parts(rows, 32, 1);
    pool.run(parts.parts(), [&](int64_t part) {
      for (int64_t r = parts.begin(part), end = r + parts.size(part); r < end; ++r)
        loops.words(a + r * a_stride, depth, words + r * stride);
    });
  }

  int64_t stride;
  uint32_t* words;
};

}  // namespace

void linear_bf16(ThreadPool& pool, const float* x, int64_t x_stride, const float* w, const float* bias,
                 float* y, int64_t y_stride, int64_t m, int64_t n, int64_t k) {
  const LeftWords left(pool, inner_bf16(), x, x_stride, m, k);
  linear(pool, inner_bf16(), left.words, left.stride, w, bias, y, y_stride, m, n, k);
}

void linear_backward_input_bf16(ThreadPool& pool, const float* dy, int64_t dy_stride, const float* w,
                                float* dx, int64_t dx_stride, int64_t m, int64_t n, int64_t k,
                                bool accumulate) {
  const LeftWords left(pool, inner_bf16(), dy, dy_stride, m, n);
  linear_backward_input(pool, inner_bf16(), left.words, left.stride, w, dx, dx_stride, m, n, k, accumulate);
}

void linear_backward_weight_bf16(ThreadPool& pool, const float* dy, int64_t dy_stride, const float* x,
                                 int64_t x_stride, float* dw, float* dbias, int64_t m, int64_t n, int64_t k,
                                 bool accumulate) {
  linear_backward_weight(pool, inner_bf16(), dy, dy_stride, x, x_stride, dw, dbias, m, n, k, accumulate);
}

}  // namespace distiltune::kernels
