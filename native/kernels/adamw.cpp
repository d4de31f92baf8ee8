#include "adamw.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "inner.h"
#include "scratch.h"

namespace distiltune::kernels {
namespace {

constexpr int64_t block = 65536;

/** torch keeps these in double and rounds each to float where it meets a tensor. */
AdamWScalars scalars(const AdamWStep& step) {
  const double correction1 = 1 - std::pow(step.beta1, static_cast<double>(step.step));
  const double correction2 = 1 - std::pow(step.beta2, static_cast<double>(step.step));
  return {static_cast<float>(1 - step.learning_rate * step.weight_decay),
          static_cast<float>(step.beta1),
          static_cast<float>(1 - step.beta1),
          static_cast<float>(step.beta2),
          static_cast<float>(1 - step.beta2),
          static_cast<float>(std::sqrt(correction2)),
          static_cast<float>(step.epsilon),
          static_cast<float>(-(step.learning_rate / correction1)),
          step.gradient_scale};
}

bool all_zero(const float* values, int64_t n) {
  for (int64_t begin = 0; begin < n; begin += 64) {
    uint32_t bits = 0;
    for (int64_t i = begin; i < std::min(n, begin + 64); ++i) {
      uint32_t value;
      std::memcpy(&value, values + i, sizeof value);
      bits |= value;
    }
    if (bits != 0) return false;
  }
  return true;
}

}  // namespace

void adamw(ThreadPool& pool, const AdamWStep& step, float* parameter, float* moment1, float* moment2,
           const float* gradient, int64_t count) {
  const AdamWScalars values = scalars(step);
  pool.run((count + block - 1) / block, [&](int64_t task) {
    const int64_t begin = task * block, n = std::min(block, count - begin);
    inner().adamw(values, parameter + begin, moment1 + begin, moment2 + begin, gradient + begin, n);
  });
}

void adamw_rows(ThreadPool& pool, const AdamWStep& step, float* parameter, float* moment1, float* moment2,
                const RowGradient& gradient, int64_t entries, int64_t dim) {
  const AdamWScalars values = scalars(step);
  // A row that never had a gradient keeps moments of zero, and without decay it does not move.
  const bool untouched_stay = step.weight_decay == 0 && step.epsilon > 0;
  const int64_t rows = std::max<int64_t>(1, block / dim);
  pool.run((entries + rows - 1) / rows, [&](int64_t task) {
    const int64_t begin = task * rows, end = std::min(entries, begin + rows);
    auto id = std::lower_bound(gradient.ids.begin(), gradient.ids.end(), begin);
    for (int64_t row = begin; row < end; ++row) {
      const float* row_gradient = nullptr;
      if (id != gradient.ids.end() && *id == row)
        row_gradient = gradient.values.data() + (id++ - gradient.ids.begin()) * dim;
      float *m = moment1 + row * dim, *v = moment2 + row * dim;
      if (!row_gradient && untouched_stay && all_zero(m, dim) && all_zero(v, dim)) continue;
      inner().adamw(values, parameter + row * dim, m, v, row_gradient, dim);
    }
  });
}

double sum_of_squares(ThreadPool& pool, const float* values, int64_t count) {
  const int64_t blocks = (count + block - 1) / block;
  auto* partial = reinterpret_cast<double*>(scratch(Scratch::partial, blocks * 2));
  pool.run(blocks, [&](int64_t task) {
    partial[task] = inner().sum_of_squares(values + task * block, std::min(block, count - task * block));
  });
  double total = 0;
  for (int64_t task = 0; task < blocks; ++task) total += partial[task];
  return total;
}

}  // namespace distiltune::kernels
