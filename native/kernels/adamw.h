#pragma once
#include <cstdint>
#include <vector>

#include "embedding.h"
#include "inner.h"
#include "thread_pool.h"

namespace distiltune::kernels {

/**
 * Whose order of operations (both after Loshchilov and Hutter, arXiv 1711.05101). With m, v the moments and
 * c1 = 1 - beta1^step, c2 = 1 - beta2^step:
 *   torch  torch.optim.AdamW:                p *= 1 - rate * decay; p -= rate / c1 * m / (sqrt(v) / sqrt(c2)
 * + epsilon) hf     AdamW of Transformers up to 4:    p -= rate * sqrt(c2) / c1 * m / (sqrt(v) + epsilon); p
 * -= rate * decay * p
 */
enum class AdamWFlavor { torch, hf };

struct AdamWStep {
  AdamWFlavor flavor;
  double learning_rate;
  double beta1;
  double beta2;
  double epsilon;
  double weight_decay;
  int64_t step;           // counted from 1
  double gradient_scale;  // clipping factor, applied to every gradient on the way in
};

/** parameter, moment1, moment2, gradient: `count` floats each. */
void adamw(ThreadPool& pool, const AdamWStep& step, float* parameter, float* moment1, float* moment2,
           const float* gradient, int64_t count);

/**
 * Updates that rows of a table have still to get. A row without a gradient moves all the same while its
 * moments fade, but nobody looks: it waits, and gets all its updates at once, in registers, before it is
 * read. Then it has the bits of a row that never waited.
 */
struct LateRows {
  std::vector<AdamWScalars> steps;  // since all rows were level
  std::vector<uint32_t> had;        // of each row, how many of them; empty while all are level
  bool untouched_stay = true;       // whether none of them moves a row whose moments are zero
};

/** The same for a table (entries, dim) whose gradient is zero outside `gradient.ids`. Other rows are late
 * afterwards. */
void adamw_rows(ThreadPool& pool, const AdamWStep& step, float* parameter, float* moment1, float* moment2,
                const RowGradient& gradient, int64_t entries, int64_t dim, LateRows& late);

/** Brings the rows `ids`, distinct, up to date. */
void level_rows(ThreadPool& pool, float* parameter, float* moment1, float* moment2,
                const std::vector<int32_t>& ids, int64_t dim, LateRows& late);
/** Brings all rows up to date. */
void level_rows(ThreadPool& pool, float* parameter, float* moment1, float* moment2, int64_t entries,
                int64_t dim, LateRows& late);

/** Sum of squares in double, in blocks of fixed size added in order. */
double sum_of_squares(ThreadPool& pool, const float* values, int64_t count);

}  // namespace distiltune::kernels
