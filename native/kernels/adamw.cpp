#include "adamw.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

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

void level(float* parameter, float* moment1, float* moment2, int64_t row, int64_t dim, LateRows& late) {
  const auto all = static_cast<uint32_t>(late.steps.size());
  const uint32_t had = std::exchange(late.had[row], all);
  float *m = moment1 + row * dim, *v = moment2 + row * dim;
  if (had == all || (late.untouched_stay && all_zero(m, dim) && all_zero(v, dim))) return;
  inner().adamw_late(late.steps.data() + had, all - had, parameter + row * dim, m, v, dim);
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
                const RowGradient& gradient, int64_t entries, int64_t dim, LateRows& late) {
  level_rows(pool, parameter, moment1, moment2, gradient.ids, dim, late);
  if (late.had.empty()) late.had.assign(entries, 0);
  late.steps.push_back(scalars(step));
  late.untouched_stay = late.untouched_stay && step.weight_decay == 0 && step.epsilon > 0;
  const auto all = static_cast<uint32_t>(late.steps.size());
  pool.run(static_cast<int64_t>(gradient.ids.size()), [&](int64_t place) {
    const int64_t row = gradient.ids[place], at = row * dim;
    inner().adamw(late.steps.back(), parameter + at, moment1 + at, moment2 + at,
                  gradient.values.data() + place * dim, dim);
    late.had[row] = all;
  });
}

void level_rows(ThreadPool& pool, float* parameter, float* moment1, float* moment2,
                const std::vector<int32_t>& ids, int64_t dim, LateRows& late) {
  if (late.steps.empty()) return;
  pool.run(static_cast<int64_t>(ids.size()),
           [&](int64_t place) { level(parameter, moment1, moment2, ids[place], dim, late); });
}

void level_rows(ThreadPool& pool, float* parameter, float* moment1, float* moment2, int64_t entries,
                int64_t dim, LateRows& late) {
  if (late.steps.empty()) return;
  const int64_t rows = std::max<int64_t>(1, block / dim);
  pool.run((entries + rows - 1) / rows, [&](int64_t task) {
    const int64_t end = std::min(entries, (task + 1) * rows);
    for (int64_t row = task * rows; row < end; ++row) level(parameter, moment1, moment2, row, dim, late);
  });
  late = {};
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
