#include "layer_norm.h"

#include <algorithm>

#include "inner.h"
#include "philox.h"
#include "scratch.h"

namespace distiltune::kernels {
namespace {

constexpr int64_t block_tokens = 16;

int64_t blocks(int64_t tokens) { return (tokens + block_tokens - 1) / block_tokens; }

}  // namespace

void dropout_add_layer_norm(ThreadPool& pool, const float* x, const Dropout& dropout, const float* residual,
                            const float* gamma, const float* beta, float* sum, float* mean, float* rstd,
                            float* y, int64_t tokens, int64_t dim) {
  pool.run(blocks(tokens), [&](int64_t block) {
    const int64_t end = std::min(tokens, (block + 1) * block_tokens);
    for (int64_t t = block * block_tokens; t < end; ++t) {
      float row_mean, row_rstd;
      inner().layer_norm(x + t * dim, draw(dropout, t * dim, dim), residual ? residual + t * dim : nullptr,
                         gamma, beta, sum ? sum + t * dim : y + t * dim, y + t * dim, dim, layer_norm_eps,
                         &row_mean, &row_rstd);
      if (mean) mean[t] = row_mean;
      if (rstd) rstd[t] = row_rstd;
    }
  });
}

void layer_norm_backward(ThreadPool& pool, const float* dy, const float* sum, const float* mean,
                         const float* rstd, const float* gamma, float* dsum, float* dgamma, float* dbeta,
                         int64_t tokens, int64_t dim) {
  float* partial = scratch(Scratch::partial, blocks(tokens) * 2 * dim);  // (blocks, 2, dim)
  pool.run(blocks(tokens), [&](int64_t block) {
    float* part = partial + block * 2 * dim;
    std::fill(part, part + 2 * dim, 0.0f);
    const int64_t end = std::min(tokens, (block + 1) * block_tokens);
    for (int64_t t = block * block_tokens; t < end; ++t) {
      inner().layer_norm_backward(dy + t * dim, sum + t * dim, mean[t], rstd[t], gamma, dsum + t * dim, part,
                                  part + dim, dim);
    }
  });
  for (int64_t block = 0; block < blocks(tokens); ++block) {
    const float* part = partial + block * 2 * dim;
    for (int64_t i = 0; i < dim; ++i) dgamma[i] += part[i];
    for (int64_t i = 0; i < dim; ++i) dbeta[i] += part[dim + i];
  }
}

void apply_dropout(ThreadPool& pool, const float* x, const Dropout& dropout, float* y, int64_t count) {
  constexpr int64_t block = 128 * draws_per_block;
  pool.run((count + block - 1) / block, [&](int64_t task) {
    const int64_t begin = task * block, n = std::min(block, count - begin);
    inner().drop(x + begin, draw(dropout, begin, n), y + begin, n);
  });
}

}  // namespace distiltune::kernels
