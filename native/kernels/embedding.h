#pragma once
#include <cstdint>
#include <vector>

#include "thread_pool.h"

namespace distiltune::kernels {

/** out (tokens, dim) = word[id] + position[place in its row]. */
void embed(ThreadPool& pool, const int32_t* ids, const int32_t* offsets, int64_t rows, const float* word,
           const float* position, float* out, int64_t dim);

/** The same with word = word_scales[id] * words[id], rounded after each operation. */
void embed(ThreadPool& pool, const int32_t* ids, const int32_t* offsets, int64_t rows, const int8_t* words,
           const float* word_scales, const float* position, float* out, int64_t dim);

/** The same with the word's values as bfloat16 (bf16.h), widened. */
void embed(ThreadPool& pool, const int32_t* ids, const int32_t* offsets, int64_t rows, const uint16_t* words,
           const float* position, float* out, int64_t dim);

/** Gradient of an embedding table that has a row for each id met, not for each word there is. */
struct RowGradient {
  std::vector<int32_t> ids;   // distinct, rising
  std::vector<float> values;  // (ids.size(), dim)
};

/** Adds d (tokens, dim) into `gradient` (which may already hold rows of earlier micro-batches) by word id and
 * into dposition (max_positions, dim) by place. The padding word `padding_id` gets no gradient (torch
 * padding_idx). */
void embed_backward(ThreadPool& pool, const int32_t* ids, const int32_t* offsets, int64_t rows,
                    const float* d, int32_t padding_id, RowGradient& gradient, float* dposition, int64_t dim);

}  // namespace distiltune::kernels
