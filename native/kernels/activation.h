#pragma once
#include <cstdint>

#include "thread_pool.h"

namespace distiltune::kernels {

/** y = x · Φ(x), the exact erf form, over `count` elements; y may alias x. */
void gelu(ThreadPool& pool, const float* x, float* y, int64_t count);
/** dx = dy · (Φ(x) + x · φ(x)); dx may alias dy. */
void gelu_backward(ThreadPool& pool, const float* x, const float* dy, float* dx, int64_t count);

/** y = max(x, 0), and not a number where x is none; y may alias x. */
void relu(ThreadPool& pool, const float* x, float* y, int64_t count);
/** dx = dy where x > 0, else 0; dx may alias dy. */
void relu_backward(ThreadPool& pool, const float* x, const float* dy, float* dx, int64_t count);

}  // namespace distiltune::kernels
