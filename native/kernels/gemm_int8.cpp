#include "gemm_int8.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>

#include "cut.h"
#include "inner.h"
#include "inner_int8.h"

namespace distiltune::kernels {
namespace {

// Columns and rows of a task: a whole number of panels and of tiles in every instruction set.
constexpr int64_t group_columns = 64;
constexpr int64_t rows_limit = 384;
constexpr int64_t rows_multiple = 12;
constexpr int64_t quantised_together = 16;
// Of the next group of weights, asked for in time; the inner loops ask for what follows.
constexpr int64_t ahead_bytes = 24 << 10;

int64_t padded_inputs(int64_t inputs) { return up(inputs, int8_depth_multiple); }

/** Where the parts of a packed layer lie. */
struct Parts {
  Parts(int64_t outputs, int64_t inputs) {
    columns = up(outputs, inner_int8().panel);
    scales = up(columns * padded_inputs(inputs), 64);
    sums = scales + up(columns * 4, 64);
    bias = sums + up(columns * 4, 64);
    end = bias + up(columns * 4, 64);
  }
  int64_t columns, scales, sums, bias, end;  // bytes, but the first; weights lie at 0
};

/** The nearest whole number, ties to even, for |x| < 2^22: beyond 2^23 floats have no digits after the point.
 * std::nearbyint is a call where a CPU need have no SSE4. */
float nearest(float x) {
  constexpr float whole = 12582912;  // 1.5 * 2^23
  return x + whole - whole;
}

/** Of some numbers, for the larger of the sums above and below zero: without a branch on what is random. */
struct Sums {
  void add(int32_t value) {
    sum += value;
    magnitude += std::abs(value);
  }
  int32_t larger() const { return (magnitude + std::abs(sum)) / 2; }

  int32_t sum = 0, magnitude = 0;
};

/** The larger of the sums above and below zero in one group, of all groups. */
int32_t largest_group(const int8_t* q, int64_t k) {
  int32_t largest = 0;
  for (int64_t begin = 0; begin < k; begin += int8_depth_multiple) {
    const int64_t end = std::min(k, begin + int8_depth_multiple), whole = begin + (end - begin) / 4 * 4;
    Sums first, second;
    for (int64_t p = begin; p < whole; p += 4) {
      first.add(q[p]);
      first.add(q[p + 1]);
      second.add(q[p + 2]);
      second.add(q[p + 3]);
    }
    for (int64_t p = whole; p < end; ++p) (p % 4 < 2 ? first : second).add(q[p]);
    largest = std::max({largest, first.larger(), second.larger()});
  }
  return largest;
}

/** Steps of the largest's 127th part, or as much coarser as keeps every group within `group_most`. */
float quantise(const float* w, int64_t k, int32_t group_most, int8_t* q) {
  float most = 0, difference = 0;
  for (int64_t p = 0; p < k; ++p) {
    most = std::max(most, std::fabs(w[p]));
    difference += w[p] - w[p];  // not a number where a weight is none
  }
  if (!(most > 1e-30f) || !(most < 1e38f) || difference != 0) {
    std::fill_n(q, k, static_cast<int8_t>(0));
    return most + difference;
  }
  for (float top = 127;;) {
    const float inverse = top / most;
    for (int64_t p = 0; p < k; ++p) q[p] = static_cast<int8_t>(nearest(w[p] * inverse));
    const int32_t group = largest_group(q, k);
    if (group <= group_most) return most / top;
    top = std::floor(top * static_cast<float>(group_most) / static_cast<float>(group));
  }
}

}  // namespace

float quantise_row(const float* w, int64_t k, int8_t* q) { return quantise(w, k, INT32_MAX, q); }
float quantise_weights(const float* w, int64_t k, int8_t* q) { return quantise(w, k, int8_group_most, q); }

bool are_quantised_weights(const int8_t* q, int64_t k) {
  return std::find(q, q + k, -128) == q + k && largest_group(q, k) <= int8_group_most;
}

void QuantisedRows::resize(int64_t rows, int64_t k) {
  rows_ = rows;
  inputs_ = k;
  stride_ = padded_inputs(k);
  if (static_cast<int64_t>(values_.size()) < rows * stride_) values_.resize(rows * stride_);
  if (static_cast<int64_t>(scales_.size()) < rows) {
    scales_.resize(rows);
    zeros_.resize(rows);
  }
}

void QuantisedRows::set(const float* x, int64_t stride, int64_t begin, int64_t end) {
  const Inner& loops = inner();
  for (int64_t row = begin; row < end; ++row)
    loops.quantise(x + row * stride, inputs_, stride_, values_.data() + row * stride_, &scales_[row],
                   &zeros_[row]);
}

void QuantisedRows::set(ThreadPool& pool, const float* x, int64_t stride) {
  pool.run(ceil_div(rows_, quantised_together), [&](int64_t task) {
    set(x, stride, task * quantised_together, std::min(rows_, (task + 1) * quantised_together));
  });
}

size_t Int8Linear::bytes(int64_t outputs, int64_t inputs) {
  return static_cast<size_t>(Parts(outputs, inputs).end);
}

void Int8Linear::pack(const int8_t* q, const float* scales, const float* bias, int64_t outputs,
                      int64_t inputs, void* to) {
  const Parts parts(outputs, inputs);
  const int64_t panel = inner_int8().panel, depth = padded_inputs(inputs);
  auto* bytes = static_cast<unsigned char*>(to);
  std::memset(bytes, 0, static_cast<size_t>(parts.end));
  auto* sums = reinterpret_cast<int32_t*>(bytes + parts.sums);
  for (int64_t j = 0; j < outputs; ++j) {
    unsigned char* column = bytes + j / panel * panel * depth + j % panel * 4;
    for (int64_t p = 0; p < inputs; p += 4)
      std::memcpy(column + p * panel, q + j * inputs + p,
                  static_cast<size_t>(std::min<int64_t>(4, inputs - p)));
    for (int64_t p = 0; p < inputs; ++p) sums[j] += q[j * inputs + p];
  }
  std::memcpy(bytes + parts.scales, scales, static_cast<size_t>(outputs) * sizeof(float));
  std::memcpy(bytes + parts.bias, bias, static_cast<size_t>(outputs) * sizeof(float));
}

Int8Linear::Int8Linear(const void* packed, int64_t outputs, int64_t inputs)
    : packed_(static_cast<const unsigned char*>(packed)), outputs_(outputs), inputs_(inputs) {}

void Int8Linear::apply(ThreadPool& pool, const QuantisedRows& x, float* y, int64_t y_stride,
                       After after) const {
  const InnerInt8& loops = inner_int8();
  const Parts parts(outputs_, inputs_);
  const auto* columns = reinterpret_cast<const float*>(packed_ + parts.scales);
  const auto* sums = reinterpret_cast<const int32_t*>(packed_ + parts.sums);
  const auto* bias = reinterpret_cast<const float*>(packed_ + parts.bias);
  const auto* weights = reinterpret_cast<const int8_t*>(packed_);
  const Cut rows(x.rows(), rows_limit, rows_multiple), groups(outputs_, group_columns, group_columns);
  pool.run(rows.parts() * groups.parts(), [&](int64_t task) {
    const int64_t group = task % groups.parts(), part = task / groups.parts();
    const int64_t j = groups.begin(group), width = groups.size(group);
    const int64_t r = rows.begin(part), height = rows.size(part);
    const int64_t later = groups.begin(groups.later(group, pool.threads()));
    const Int8Scales scales{x.scales() + r, x.zeros() + r, columns + j, sums + j, bias + j};
    float* out = y + r * y_stride + j;
    loops.multiply(x.values() + r * x.stride(), x.stride(), weights + j * x.stride(), scales, out, y_stride,
                   height, width, x.stride(), {weights + later * x.stride(), ahead_bytes});
    finish(inner(), after, out, y_stride, height, width);
  });
}

}  // namespace distiltune::kernels
