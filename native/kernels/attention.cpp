#include "attention.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "attention_products.h"
#include "inner.h"
#include "philox.h"
#include "scratch.h"

namespace distiltune::kernels {
namespace {

// Queries treated together: their scores against 512 keys (96 KiB) stay in the second-level cache.
constexpr int64_t block_queries = 48;
constexpr int64_t key_multiple = 16;

int64_t up(int64_t value) { return (value + key_multiple - 1) / key_multiple * key_multiple; }

/** One row and head: where its queries, keys and scores lie. */
struct Head {
  int64_t keys, queries;
  int64_t padded;       // keys, rounded up: the stride of scores
  int64_t first_token;  // of k, v
  int64_t first_query;  // of q, out
  int64_t column;       // of the head in q, k, v, out
  int64_t lse;          // of its first query
  uint64_t element;     // dropout index of its first score
};

/** Calls body(head) for every row and head, the longest rows first so that no thread is left with a long one
 * at the end. */
template <typename Body>
void for_each_head(ThreadPool& pool, const AttentionShape& shape, const Body& body) {
  const int32_t* offsets = shape.offsets;
  const auto length = [&](int64_t row) { return static_cast<int64_t>(offsets[row + 1] - offsets[row]); };
  std::vector<int64_t> order(shape.rows);
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return length(a) > length(b); });
  std::vector<uint64_t> elements(shape.rows + 1, 0);
  for (int64_t row = 0; row < shape.rows; ++row)
    elements[row + 1] = elements[row] + shape.heads * length(row) * length(row);
  const int64_t all_queries = shape.first_only ? shape.rows : offsets[shape.rows] - offsets[0];

  pool.run(shape.rows * shape.heads, [&](int64_t task) {
    const int64_t row = order[task / shape.heads], head = task % shape.heads, keys = length(row);
    if (keys == 0) return;
    const int64_t first_query = shape.first_only ? row : offsets[row];
    body(Head{keys, shape.first_only ? 1 : keys, up(keys), offsets[row], first_query, head * shape.head_dim,
              head * all_queries + first_query, elements[row] + static_cast<uint64_t>(head * keys * keys)});
  });
}

float dot(const float* a, const float* b, int64_t n) {
  float lanes[8] = {};
  int64_t i = 0;
  for (; i + 8 <= n; i += 8) {
    for (int64_t lane = 0; lane < 8; ++lane) lanes[lane] += a[i + lane] * b[i + lane];
  }
  for (; i < n; ++i) lanes[i % 8] += a[i] * b[i];
  return ((lanes[0] + lanes[4]) + (lanes[1] + lanes[5])) + ((lanes[2] + lanes[6]) + (lanes[3] + lanes[7]));
}

template <typename Loops>
void attention(const Products<Loops>& products, ThreadPool& pool, const AttentionShape& shape, const float* q,
               int64_t q_stride, const float* k, const float* v, int64_t kv_stride, const Dropout& dropout,
               float* out, float* lse) {
  const Inner& loops = inner();
  const int64_t depth = shape.head_dim, dim = shape.heads * depth;
  const float scale = 1 / std::sqrt(static_cast<float>(depth));
  for_each_head(pool, shape, [&](const Head& head) {
    const int64_t keys = head.keys, padded = head.padded, first = head.first_token * kv_stride + head.column;
    const auto* key_columns = products.right_of_transpose(Scratch::keys, k + first, kv_stride, depth, keys);
    const auto* value_rows = products.right(Scratch::values, v + first, kv_stride, keys, depth);
    float* scores = scratch(Scratch::scores, block_queries * padded);
    for (int64_t begin = 0; begin < head.queries; begin += block_queries) {
      const int64_t queries = std::min(block_queries, head.queries - begin);
      products.multiply(q + (head.first_query + begin) * q_stride + head.column, q_stride, key_columns,
                        scores, padded, queries, keys, depth);
      const DropoutDraws draws = draw(dropout, head.element + begin * keys, queries * keys);
      float inverse[block_queries];
      for (int64_t i = 0; i < queries; ++i) {
        float* row = scores + i * padded;
        float max, sum;
        loops.exponentials(row, keys, padded, scale, &max, &sum);
        if (draws.draws) loops.drop(row, draws + i * keys, row, keys);
        inverse[i] = 1 / sum;
        if (lse) lse[head.lse + begin + i] = max + std::log(sum);
      }
      float* rows = out + (head.first_query + begin) * dim + head.column;
      products.multiply(scores, padded, value_rows, rows, dim, queries, depth, keys);
      for (int64_t i = 0; i < queries; ++i) {
        for (int64_t c = 0; c < depth; ++c) rows[i * dim + c] *= inverse[i];
      }
    }
  });
}

template <typename Loops>
void attention_backward(const Products<Loops>& products, ThreadPool& pool, const AttentionShape& shape,
                        const float* q, int64_t q_stride, const float* k, const float* v, int64_t kv_stride,
                        const Dropout& dropout, const float* out, const float* lse, const float* dout,
                        float* dq, float* dk, float* dv) {
  const Inner& loops = inner();
  const int64_t depth = shape.head_dim, dim = shape.heads * depth;
  const float scale = 1 / std::sqrt(static_cast<float>(depth));
  for_each_head(pool, shape, [&](const Head& head) {
    const int64_t keys = head.keys, padded = head.padded, first = head.first_token * kv_stride + head.column;
    const auto* key_columns = products.right_of_transpose(Scratch::keys, k + first, kv_stride, depth, keys);
    const auto* value_columns =
        products.right_of_transpose(Scratch::values, v + first, kv_stride, depth, keys);
    const auto* key_rows = products.right(Scratch::key_rows, k + first, kv_stride, keys, depth);
    float* p = scratch(Scratch::scores, block_queries * padded);
    float* ds = scratch(Scratch::gradients, block_queries * padded);
    for (int64_t begin = 0; begin < head.queries; begin += block_queries) {
      const int64_t queries = std::min(block_queries, head.queries - begin), query = head.first_query + begin;
      const float* q_block = q + query * q_stride + head.column;
      const float* dout_block = dout + query * dim + head.column;
      const float* out_block = out + query * dim + head.column;
      products.multiply(q_block, q_stride, key_columns, p, padded, queries, keys, depth);
      products.multiply(dout_block, dim, value_columns, ds, padded, queries, keys, depth);
      const DropoutDraws draws = draw(dropout, head.element + begin * keys, queries * keys);
      for (int64_t i = 0; i < queries; ++i) {
        const float delta = dot(dout_block + i * dim, out_block + i * dim, depth);
        loops.attention_gradient(p + i * padded, ds + i * padded, draws + i * keys, keys, padded, scale,
                                 lse[head.lse + begin + i], delta);
      }
      products.multiply(ds, padded, key_rows, dq + query * q_stride + head.column, q_stride, queries, depth,
                        keys);
      // Keys and values gather from every block of queries, in order.
      const Store store = begin == 0 ? Store::overwrite : Store::accumulate;
      const auto* query_rows = products.right(Scratch::query_rows, q_block, q_stride, queries, depth);
      products.multiply_transpose(ds, padded, query_rows, dk + first, kv_stride, keys, depth, queries, store);
      const auto* dout_rows = products.right(Scratch::dout_rows, dout_block, dim, queries, depth);
      products.multiply_transpose(p, padded, dout_rows, dv + first, kv_stride, keys, depth, queries, store);
    }
  });
}

}  // namespace

void attention(ThreadPool& pool, const AttentionShape& shape, const float* q, int64_t q_stride,
               const float* k, const float* v, int64_t kv_stride, const Dropout& dropout, float* out,
               float* lse) {
  attention(Products(inner()), pool, shape, q, q_stride, k, v, kv_stride, dropout, out, lse);
}

void attention_bf16(ThreadPool& pool, const AttentionShape& shape, const float* q, int64_t q_stride,
                    const float* k, const float* v, int64_t kv_stride, const Dropout& dropout, float* out,
                    float* lse) {
  attention(Products(inner_bf16()), pool, shape, q, q_stride, k, v, kv_stride, dropout, out, lse);
}

void attention_backward(ThreadPool& pool, const AttentionShape& shape, const float* q, int64_t q_stride,
                        const float* k, const float* v, int64_t kv_stride, const Dropout& dropout,
                        const float* out, const float* lse, const float* dout, float* dq, float* dk,
                        float* dv) {
  attention_backward(Products(inner()), pool, shape, q, q_stride, k, v, kv_stride, dropout, out, lse, dout,
                     dq, dk, dv);
}

void attention_backward_bf16(ThreadPool& pool, const AttentionShape& shape, const float* q, int64_t q_stride,
                             const float* k, const float* v, int64_t kv_stride, const Dropout& dropout,
                             const float* out, const float* lse, const float* dout, float* dq, float* dk,
                             float* dv) {
  attention_backward(Products(inner_bf16()), pool, shape, q, q_stride, k, v, kv_stride, dropout, out, lse,
                     dout, dq, dk, dv);
}

}  // namespace distiltune::kernels
