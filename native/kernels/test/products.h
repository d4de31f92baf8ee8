#pragma once
#include "kernels/test/twins.h"
#include "kernels/thread_pool.h"

// The products of gemm.h as double loops, and sizes to try them on.

namespace distiltune::kernels::test {

struct Sizes {
  int64_t m, n, k;
};

// All remainders of row tiles (6), vectors (8, 16), groups (64) and depth blocks (768, 512), odd depths.
const std::vector<Sizes> sizes = {{1, 1, 1},     {1, 2, 48},    {2, 64, 63},  {3, 65, 17},   {5, 128, 384},
                                  {6, 130, 31},  {15, 48, 64},  {16, 16, 16}, {17, 33, 770}, {63, 192, 96},
                                  {64, 100, 33}, {65, 7, 65},   {8, 384, 50}, {385, 97, 13}, {511, 65, 20},
                                  {512, 33, 18}, {513, 3, 199}, {770, 5, 8}};

/** A rounding error of float per product, adding up as a walk: far below this for the depths here. */
inline double tolerance(int64_t depth) { return 4e-7 * std::sqrt(static_cast<double>(depth)) + 2e-7; }

/** x (m, k) · wᵀ (k, n) + bias, which may be null. */
inline std::vector<double> product(const Sizes& s, const std::vector<float>& x, int64_t stride,
                                   const std::vector<float>& w, const float* bias) {
  std::vector<double> y(s.m * s.n);
  for (int64_t i = 0; i < s.m; ++i) {
    for (int64_t j = 0; j < s.n; ++j) {
      double total = bias ? bias[j] : 0;
      for (int64_t p = 0; p < s.k; ++p) total += static_cast<double>(x[i * stride + p]) * w[j * s.k + p];
      y[i * s.n + j] = total;
    }
  }
  return y;
}

/** before (m, k), which may be null, + dy (m, n) · w (n, k). */
inline std::vector<double> input_gradient(const Sizes& s, const std::vector<float>& dy, int64_t stride,
                                          const std::vector<float>& w, const float* before) {
  std::vector<double> dx(s.m * s.k);
  for (int64_t i = 0; i < s.m; ++i) {
    for (int64_t p = 0; p < s.k; ++p) {
      double total = before ? before[i * s.k + p] : 0;
      for (int64_t j = 0; j < s.n; ++j) total += static_cast<double>(dy[i * stride + j]) * w[j * s.k + p];
      dx[i * s.k + p] = total;
    }
  }
  return dx;
}

/** before (n, k) + dyᵀ · x */
inline std::vector<double> weight_gradient(const Sizes& s, const std::vector<float>& dy, int64_t dy_stride,
                                           const std::vector<float>& x, int64_t x_stride,
                                           const std::vector<float>& before) {
  std::vector<double> dw(before.begin(), before.end());
  for (int64_t i = 0; i < s.m; ++i) {
    for (int64_t j = 0; j < s.n; ++j) {
      for (int64_t p = 0; p < s.k; ++p)
        dw[j * s.k + p] += static_cast<double>(dy[i * dy_stride + j]) * x[i * x_stride + p];
    }
  }
  return dw;
}

/** before (n) + the column sums of dy */
inline std::vector<double> bias_gradient(const Sizes& s, const std::vector<float>& dy, int64_t stride,
                                         const std::vector<float>& before) {
  std::vector<double> db(before.begin(), before.end());
  for (int64_t i = 0; i < s.m; ++i) {
    for (int64_t j = 0; j < s.n; ++j) db[j] += dy[i * stride + j];
  }
  return db;
}

/** Rows of y (m, stride) without what lies between them, which must still be 7. */
inline std::vector<float> rows_of(const std::vector<float>& y, int64_t m, int64_t n, int64_t stride) {
  std::vector<float> rows;
  for (int64_t i = 0; i < m; ++i) {
    rows.insert(rows.end(), y.begin() + i * stride, y.begin() + i * stride + n);
    for (int64_t j = n; j < stride; ++j) CHECK(y[i * stride + j] == 7);
  }
  return rows;
}

/** A row alone gets the bits it gets at every place of a batch, from products of `n` outputs and `k` inputs.
 */
template <typename Linear, typename BackwardInput>
void row_alone(ThreadPool& pool, const Linear& linear, const BackwardInput& backward_input, int64_t n,
               int64_t k) {
  const auto row = random_values(k, 14), w = random_values(n * k, 15), bias = random_values(n, 16);
  std::vector<float> alone(n), alone_dx(k);
  linear(pool, row.data(), k, w.data(), bias.data(), alone.data(), n, 1, n, k);
  backward_input(pool, alone.data(), n, w.data(), alone_dx.data(), k, 1, n, k, false);
  for (int64_t rows : {2, 5, 7, 64, 400}) {
    std::vector<float> x, y(rows * n), dx(rows * k);
    for (int64_t i = 0; i < rows; ++i) x.insert(x.end(), row.begin(), row.end());
    linear(pool, x.data(), k, w.data(), bias.data(), y.data(), n, rows, n, k);
    backward_input(pool, y.data(), n, w.data(), dx.data(), k, rows, n, k, false);
    for (int64_t i = 0; i < rows; ++i) {
      CHECK(std::memcmp(y.data() + i * n, alone.data(), n * sizeof(float)) == 0);
      CHECK(std::memcmp(dx.data() + i * k, alone_dx.data(), k * sizeof(float)) == 0);
    }
  }
}

}  // namespace distiltune::kernels::test
