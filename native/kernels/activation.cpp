#include "activation.h"

#include <algorithm>

#include "inner.h"

namespace distiltune::kernels {
namespace {

/** body(begin, count) over blocks of fixed size. */
template <typename Body>
void in_blocks(ThreadPool& pool, int64_t count, const Body& body) {
  constexpr int64_t block = 16384;
  pool.run((count + block - 1) / block,
           [&](int64_t task) { body(task * block, std::min(block, count - task * block)); });
}

}  // namespace

void gelu(ThreadPool& pool, const float* x, float* y, int64_t count) {
  in_blocks(pool, count, [&](int64_t begin, int64_t n) { inner().gelu(x + begin, y + begin, n); });
}

void gelu_backward(ThreadPool& pool, const float* x, const float* dy, float* dx, int64_t count) {
  in_blocks(pool, count,
            [&](int64_t begin, int64_t n) { inner().gelu_backward(x + begin, dy + begin, dx + begin, n); });
}

void relu(ThreadPool& pool, const float* x, float* y, int64_t count) {
  in_blocks(pool, count, [&](int64_t begin, int64_t n) { inner().relu(x + begin, y + begin, n); });
}

void relu_backward(ThreadPool& pool, const float* x, const float* dy, float* dx, int64_t count) {
  in_blocks(pool, count, [&](int64_t begin, int64_t n) {
    for (int64_t i = begin; i < begin + n; ++i) dx[i] = x[i] > 0 ? dy[i] : 0;
  });
}

}  // namespace distiltune::kernels
