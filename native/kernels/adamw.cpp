#include "adamw.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "inner.h"
#include "scratch.h"

namespace distiltune::kernels {
namespace {

constexpr int64_t block = 65536;

/** Python keeps these in double and torch rounds each to float where it meets a tensor. */
AdamWScalars scalars(const AdamWStep& step) {
  const double correction1 = 1 - std::pow(step.beta1, static_cast<double>(step.step));
  const double root_correction2 = std::sqrt(1 - std::pow(step.beta2, static_cast<double>(step.step)));
  const double rate = step.learning_rate;
  AdamWScalars out{static_cast<float>(step.beta1),
                   static_cast<float>(1 - step.beta1),
                   static_cast<float>(step.beta2),
                   static_cast<float>(1 - step.beta2),
                   static_cast<float>(step.epsilon),
                   static_cast<float>(step.gradient_scale),
                   1,
                   1,
                   0,
                   0};
  if (step.flavor == AdamWFlavor::torch) {
    out.decay = static_cast<float>(1 - rate * step.weight_decay);
    out.root_correction2 = static_cast<float>(root_correction2);
    out.minus_step_size = static_cast<float>(-(rate / correction1));
  } else {
    out.minus_step_size = static_cast<float>(-(rate * root_correction2 / correction1));
    out.minus_late_decay = static_cast<float>(-rate * step.weight_decay);
  }
  return out;
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
