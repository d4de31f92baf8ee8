#include "gemm_bf16.h"

#include "gemm_tasks.h"
#include "inner_bf16.h"

namespace distiltune::kernels {
namespace {

int64_t words_of(int64_t values) { return ceil_div(values, InnerBf16::step); }

/** to (rows, words_of(depth)) = the words of a (rows, depth). */
void to_words(ThreadPool& pool, const float* a, int64_t a_stride, int64_t rows, int64_t depth, uint32_t* to) {
  const InnerBf16& loops = inner_bf16();
  const Cut parts(rows, 32, 1);
  pool.run(parts.parts(), [&](int64_t part) {
    for (int64_t r = parts.begin(part), end = r + parts.size(part); r < end; ++r)
      loops.words(a + r * a_stride, depth, to + r * words_of(depth));
  });
}

/** The words of a left operand, for all tasks of a product: it belongs to the thread that calls the product,
 * until its next one. */
struct LeftWords {
  LeftWords(ThreadPool& pool, const float* a, int64_t a_stride, int64_t rows, int64_t depth)
      : stride(words_of(depth)), words(scratch_of<uint32_t>(Scratch::words, rows * stride)) {
    to_words(pool, a, a_stride, rows, depth, words);
  }

  int64_t stride;
  uint32_t* words;
};

}  // namespace

void linear_bf16(ThreadPool& pool, const float* x, int64_t x_stride, const float* w, const float* bias,
                 float* y, int64_t y_stride, int64_t m, int64_t n, int64_t k) {
  const LeftWords left(pool, x, x_stride, m, k);
  linear(pool, inner_bf16(), left.words, left.stride, w, bias, y, y_stride, m, n, k);
}

void linear_backward_input_bf16(ThreadPool& pool, const float* dy, int64_t dy_stride, const float* w,
                                float* dx, int64_t dx_stride, int64_t m, int64_t n, int64_t k,
                                bool accumulate) {
  const LeftWords left(pool, dy, dy_stride, m, n);
  linear_backward_input(pool, inner_bf16(), left.words, left.stride, w, dx, dx_stride, m, n, k, accumulate);
}

void linear_backward_weight_bf16(ThreadPool& pool, const float* dy, int64_t dy_stride, const float* x,
                                 int64_t x_stride, float* dw, float* dbias, int64_t m, int64_t n, int64_t k,
                                 bool accumulate) {
  linear_backward_weight(pool, inner_bf16(), dy, dy_stride, x, x_stride, dw, dbias, m, n, k, accumulate);
}

void Bf16Rows::set(ThreadPool& pool, const float* x, int64_t stride, int64_t rows, int64_t k) {
  stride_ = words_of(k);
  const auto count = static_cast<size_t>(rows * stride_);
  if (words_.size() < count) words_.resize(count);
  to_words(pool, x, stride, rows, k, words_.data());
}

}  // namespace distiltune::kernels
