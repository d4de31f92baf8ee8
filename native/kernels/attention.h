#pragma once
#include <cstdint>

#include "dropout.h"
#include "thread_pool.h"

namespace distiltune::kernels {

/** Rows of one ragged batch and how their width splits into heads. */
struct AttentionShape {
  const int32_t* offsets;  // rows + 1
  int64_t rows;
  int64_t heads;
  int64_t head_dim;  // dim = heads * head_dim
  bool first_only;   // queries are the first token of each row alone: q, out, lse, dout, dq have `rows` rows
                     // instead of `tokens`
};

/**
 * out = dropout(softmax(q · kᵀ / sqrt(head_dim))) · v within each row and head.
 * q, out (queries, dim); k, v (tokens, dim); all with stride `stride` except out, which is contiguous.
 * lse (heads, queries): log of the sum of exponentials of the scaled scores, kept for backward; null when not
 * wanted. Dropout's element index is that of the full (row, head, query, key) score matrix, rows laid end to
 * end.
 */
void attention(ThreadPool& pool, const AttentionShape& shape, const float* q, int64_t q_stride,
               const float* k, const float* v, int64_t kv_stride, const Dropout& dropout, float* out,
               float* lse);

/** Recomputes the probabilities from q, k and lse. dq, dk, dv are overwritten; they have the strides of q, k,
 * v. */
void attention_backward(ThreadPool& pool, const AttentionShape& shape, const float* q, int64_t q_stride,
                        const float* k, const float* v, int64_t kv_stride, const Dropout& dropout,
                        const float* out, const float* lse, const float* dout, float* dq, float* dk,
                        float* dv);

// The same with both operands of every product rounded to bfloat16 (inner_bf16.h); softmax, its gradient and
// all sums are of floats.

void attention_bf16(ThreadPool& pool, const AttentionShape& shape, const float* q, int64_t q_stride,
                    const float* k, const float* v, int64_t kv_stride, const Dropout& dropout, float* out,
                    float* lse);
void attention_backward_bf16(ThreadPool& pool, const AttentionShape& shape, const float* q, int64_t q_stride,
                             const float* k, const float* v, int64_t kv_stride, const Dropout& dropout,
                             const float* out, const float* lse, const float* dout, float* dq, float* dk,
                             float* dv);

}  // namespace distiltune::kernels
