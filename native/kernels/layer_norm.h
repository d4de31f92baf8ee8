#pragma once
#include <cstdint>

#include "dropout.h"
#include "thread_pool.h"

namespace distiltune::kernels {

/** eps 1e-12 inside the root is DistilBERT's value (Transformers, modeling_distilbert.py). */
inline constexpr float layer_norm_eps = 1e-12f;

/**
 * sum = dropout(x) + residual;  y = (sum - mean) * rstd * gamma + beta, row by row over (tokens, dim), biased
 * variance. residual may be null (none). sum may alias x. mean and rstd (tokens) are kept for backward; sum,
 * mean and rstd may be null together.
 */
void dropout_add_layer_norm(ThreadPool& pool, const float* x, const Dropout& dropout, const float* residual,
                            const float* gamma, const float* beta, float* sum, float* mean, float* rstd,
                            float* y, int64_t tokens, int64_t dim);

/** dsum (tokens, dim) overwritten, may alias dy; dgamma and dbeta (dim) added to, in blocks of fixed size. */
void layer_norm_backward(ThreadPool& pool, const float* dy, const float* sum, const float* mean,
                         const float* rstd, const float* gamma, float* dsum, float* dgamma, float* dbeta,
                         int64_t tokens, int64_t dim);

/** y = dropout(x) over `count` elements; its own backward with dy for x. y may alias x. */
void apply_dropout(ThreadPool& pool, const float* x, const Dropout& dropout, float* y, int64_t count);

}  // namespace distiltune::kernels
