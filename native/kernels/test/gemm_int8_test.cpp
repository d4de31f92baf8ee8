#include "kernels/gemm_int8.h"

#include "kernels/activation.h"
#include "kernels/inner_int8.h"
#include "kernels/test/twins.h"

using namespace distiltune::kernels;
using namespace distiltune::kernels::test;

namespace {

/** A layer as it is saved, and packed for the instruction set in use. */
struct Layer {
  Layer(const std::vector<float>& w, const std::vector<float>& bias, int64_t n, int64_t k)
      : n(n), k(k), q(n * k), scales(n), bias(bias) {
    for (int64_t j = 0; j < n; ++j) scales[j] = quantise_weights(w.data() + j * k, k, q.data() + j * k);
  }
  std::vector<float> apply(ThreadPool& pool, const QuantisedRows& x, int64_t stride,
                           After after = After::nothing) const {
    const Aligned packed(Int8Linear::bytes(n, k));
    Int8Linear::pack(q.data(), scales.data(), bias.data(), n, k, packed.data());
    std::vector<float> y(x.rows() * stride, 7);
    Int8Linear(packed.data(), n, k).apply(pool, x, y.data(), stride, after);
    return y;
  }

  int64_t n, k;
  std::vector<int8_t> q;
  std::vector<float> scales, bias;
};

/** Every way to multiply bytes that this machine has, beside every way to round rows to them. */
template <typename Body>
void on_every_int8_isa(const Body& body) {
  const auto runs = [](Int8Isa each) { return has(each) && inner_int8(each).isa == each; };
  on_each({Int8Isa::scalar, Int8Isa::neon, Int8Isa::neon_dot, Int8Isa::avx2, Int8Isa::avx_vnni,
           Int8Isa::avx512_vnni},
          int8_isa(), runs, [&] { on_every_isa(body); });
}

QuantisedRows quantised(const std::vector<float>& x, int64_t rows, int64_t k, int64_t stride) {
  ThreadPool pool(2);
  QuantisedRows result;
  result.resize(rows, k);
  result.set(pool, x.data(), stride);
  return result;
}

/** y = row scale * column scale * (whole sum) + bias, each operation rounded to float. */
std::vector<float> twin(const Layer& layer, const QuantisedRows& x, int64_t stride) {
  std::vector<float> y(x.rows() * stride, 7);
  for (int64_t i = 0; i < x.rows(); ++i) {
    for (int64_t j = 0; j < layer.n; ++j) {
      int64_t sum = 0;
      for (int64_t p = 0; p < layer.k; ++p)
        sum += int64_t{x.values()[i * x.stride() + p] - x.zeros()[i]} * layer.q[j * layer.k + p];
      const float scale = x.scales()[i] * layer.scales[j], product = static_cast<float>(sum) * scale;
      y[i * stride + j] = product + layer.bias[j];
    }
  }
  return y;
}

const int64_t row_counts[] = {1, 2, 3, 15, 16, 17, 63, 64, 65, 511, 512};

}  // namespace

CASE("products have the very bits of whole sums, for all remainders of rows, columns and depth") {
  ThreadPool pool(2);
  int case_number = 0;
  for (const int64_t m : row_counts) {
    for (const auto& [n, k] :
         {std::pair<int64_t, int64_t>{1, 1}, {16, 16}, {17, 31}, {65, 48}, {79, 97}, {130, 770}}) {
      const int64_t x_stride = k + 3, y_stride = n + 5;
      const auto x = random_values(m * x_stride, 1 + ++case_number), w = random_values(n * k, 2, 0.05f),
                 bias = random_values(n, 3);
      const Layer layer(w, bias, n, k);
      const std::vector<float> expected = twin(layer, quantised(x, m, k, x_stride), y_stride);
      on_every_int8_isa(
          [&] { CHECK(same_bits(layer.apply(pool, quantised(x, m, k, x_stride), y_stride), expected)); });
    }
  }
}

CASE("the largest weights and activations there can be do not overflow") {
  ThreadPool pool(1);
  const int64_t m = 5, n = 40, k = 3072;
  const Generator start(5);
  for (const bool same_sign : {true, false}) {
    std::vector<float> w(n * k), x(m * k);
    Generator generator = start;
    for (float& each : w) each = same_sign || generator.next() % 2 ? 1 : -1;
    for (float& each : x) each = static_cast<float>(generator.next() % 2);
    for (int64_t p = 0; p < k; ++p) x[p] = 1;
    const Layer layer(w, std::vector<float>(n), n, k);
    for (int64_t j = 0; j < n; ++j) CHECK(are_quantised_weights(layer.q.data() + j * k, k));
    const QuantisedRows rows = quantised(x, m, k, k);
    CHECK(rows.values()[0] == 127);
    const std::vector<float> expected = twin(layer, rows, n);
    on_every_int8_isa([&] { CHECK(same_bits(layer.apply(pool, rows, n), expected)); });
  }
}

CASE("weights keep the rule for groups and differ from what they stand for by half a step at most") {
  const int64_t k = 770;
  std::vector<int8_t> q(k);
  std::vector<float> w = random_values(k, 6, 0.04f);
  float scale = quantise_weights(w.data(), k, q.data());
  CHECK(are_quantised_weights(q.data(), k));
  for (int64_t p = 0; p < k; ++p) CHECK_NEAR(q[p] * static_cast<double>(scale), w[p], scale * 0.5001);
  // Normal weights need no coarser steps than their largest asks for, or hardly.
  float most = 0;
  for (const float each : w) most = std::fmax(most, std::fabs(each));
  CHECK(scale <= most / 90);

  for (float& each : w) each = 0.5f;  // eight equal ones of 32 sum to 256
  scale = quantise_weights(w.data(), k, q.data());
  CHECK(q[0] == 32 && are_quantised_weights(q.data(), k));
  CHECK_NEAR(q[0] * static_cast<double>(scale), 0.5, scale * 0.5001);

  q.assign(k, 1);
  CHECK(are_quantised_weights(q.data(), k));
  q[3] = -128;
  CHECK(!are_quantised_weights(q.data(), k));
  q.assign(k, 33);  // 8 * 33 > 258
  CHECK(!are_quantised_weights(q.data(), k));
}

CASE("rows differ from what they stand for by a step at most, and zero stands for itself") {
  const int64_t rows = 9, k = 50;
  auto x = random_values(rows * k, 7);
  for (int64_t p = 0; p < k; ++p) {
    x[k + p] = 0;                            // all zero
    x[2 * k + p] = std::fabs(x[2 * k + p]);  // none below
    x[3 * k + p] = -std::fabs(x[3 * k + p]);
    x[4 * k + p] *= 1e-38f;
    x[5 * k + p] *= 1e30f;
  }
  on_every_isa([&] {
    const QuantisedRows q = quantised(x, rows, k, k);
    for (int64_t i = 0; i < rows; ++i) {
      for (int64_t p = 0; p < q.stride(); ++p) {
        const int32_t value = q.values()[i * q.stride() + p];
        CHECK(value >= 0 && value <= 127);
        const double back = static_cast<double>(q.scales()[i]) * (value - q.zeros()[i]);
        if (p >= k) CHECK(back == 0);
        if (p < k) CHECK_NEAR(back, x[i * k + p], q.scales()[i] * 1.0001 + 1e-30);
      }
    }
  });
}

CASE("a number that is none spoils its own row and no other") {
  ThreadPool pool(1);
  const int64_t m = 4, n = 20, k = 33;
  auto x = random_values(m * k, 8);
  const Layer layer(random_values(n * k, 9, 0.1f), random_values(n, 10), n, k);
  x[k + 32] = NAN;
  x[2 * k] = HUGE_VALF;
  on_every_int8_isa([&] {
    const auto y = layer.apply(pool, quantised(x, m, k, k), n);
    for (int64_t i = 0; i < m; ++i) {
      for (int64_t j = 0; j < n; ++j) CHECK(std::isfinite(y[i * n + j]) == (i == 0 || i == 3));
    }
  });
  std::vector<float> w(k, 0.1f);
  w[32] = NAN;
  std::vector<int8_t> q(k);
  CHECK(!std::isfinite(quantise_weights(w.data(), k, q.data())));
}

CASE("a row alone gets the bits it gets at every place of a batch, for 1, 2 and 4 threads") {
  const int64_t m = 70, n = 200, k = 390;
  const auto x = random_values(m * k, 11);
  const Layer layer(random_values(n * k, 12, 0.1f), random_values(n, 13), n, k);
  on_every_int8_isa([&] {
    ThreadPool one(1), two(2), four(4);
    const auto together = layer.apply(one, quantised(x, m, k, k), n, After::gelu);
    CHECK(same_bits(layer.apply(two, quantised(x, m, k, k), n, After::gelu), together));
    CHECK(same_bits(layer.apply(four, quantised(x, m, k, k), n, After::gelu), together));
    for (int64_t i = 0; i < m; i += 23) {
      const std::vector<float> row(x.begin() + i * k, x.begin() + (i + 1) * k);
      const auto alone = layer.apply(two, quantised(row, 1, k, k), n, After::gelu);
      CHECK(std::memcmp(alone.data(), together.data() + i * n, n * sizeof(float)) == 0);
    }
  });
}

CASE("what follows a product is what the activation alone gives") {
  ThreadPool pool(2);
  const int64_t m = 13, n = 77, k = 64;
  const auto x = random_values(m * k, 14);
  const Layer layer(random_values(n * k, 15, 0.2f), random_values(n, 16), n, k);
  on_every_int8_isa([&] {
    const QuantisedRows rows = quantised(x, m, k, k);
    std::vector<float> gelu_expected = layer.apply(pool, rows, n), relu_expected = gelu_expected;
    gelu(pool, gelu_expected.data(), gelu_expected.data(), m * n);
    relu(pool, relu_expected.data(), relu_expected.data(), m * n);
    CHECK(same_bits(layer.apply(pool, rows, n, After::gelu), gelu_expected));
    CHECK(same_bits(layer.apply(pool, rows, n, After::relu), relu_expected));
  });
}

MAIN
