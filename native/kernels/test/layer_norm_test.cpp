#include "kernels/layer_norm.h"

#include "kernels/test/twins.h"

using namespace distiltune::kernels;
using namespace distiltune::kernels::test;

namespace {

struct Forward {
  std::vector<float> sum, mean, rstd, y;
};

Forward forward(ThreadPool& pool, const std::vector<float>& x, const Dropout& dropout, const float* residual,
                const std::vector<float>& gamma, const std::vector<float>& beta, int64_t tokens) {
  const auto dim = static_cast<int64_t>(gamma.size());
  Forward f{x, std::vector<float>(tokens), std::vector<float>(tokens), std::vector<float>(tokens * dim)};
  dropout_add_layer_norm(pool, f.sum.data(), dropout, residual, gamma.data(), beta.data(), f.sum.data(),
                         f.mean.data(), f.rstd.data(), f.y.data(), tokens, dim);  // sum in place of x
  return f;
}

}  // namespace

CASE("layer norm and its gradients equal formulas in double for awkward sizes, with and without residual") {
  ThreadPool pool(2);
  for (int64_t dim : {1, 2, 15, 16, 17, 33, 48, 384, 770}) {
    for (int64_t tokens : {1, 3, 17, 65}) {
      const auto x = random_values(tokens * dim, 41), extra = random_values(tokens * dim, 42),
                 dy = random_values(tokens * dim, 43);
      const auto gamma = random_values(dim, 44), beta = random_values(dim, 45);
      for (bool with_residual : {true, false}) {
        std::vector<double> y(tokens * dim), dsum(tokens * dim), dgamma(dim, 1), dbeta(dim, 2);
        for (int64_t t = 0; t < tokens; ++t) {
          const auto s = [&](int64_t i) {  // as a float holds it
            return static_cast<double>(with_residual ? x[t * dim + i] + extra[t * dim + i] : x[t * dim + i]);
          };
          double mean = 0, variance = 0, slope = 0, shift = 0;
          for (int64_t i = 0; i < dim; ++i) mean += s(i) / dim;
          for (int64_t i = 0; i < dim; ++i) variance += (s(i) - mean) * (s(i) - mean) / dim;
          const double rstd = 1 / std::sqrt(variance + 1e-12);
          for (int64_t i = 0; i < dim; ++i) {
            const double normalised = (s(i) - mean) * rstd, gradient = dy[t * dim + i];
            y[t * dim + i] = normalised * gamma[i] + beta[i];
            dgamma[i] += gradient * normalised;
            dbeta[i] += gradient;
            shift += gradient * gamma[i] / dim;
            slope += gradient * gamma[i] * normalised / dim;
          }
          for (int64_t i = 0; i < dim; ++i) {
            dsum[t * dim + i] = rstd * (dy[t * dim + i] * gamma[i] - shift - (s(i) - mean) * rstd * slope);
          }
        }
        // A few values may lie so close together that the rounding of their mean is no longer small beside
        // their distance; two are normalised to +1 and -1 whatever they are, so their true gradient is a
        // difference of equal terms.
        const double tolerance = dim < 15 ? 1e-4 : 2e-6;
        on_every_isa([&] {
          const float* residual = with_residual ? extra.data() : nullptr;
          const Forward f = forward(pool, x, {}, residual, gamma, beta, tokens);
          CHECK_NEAR(distance(f.y, y), 0, tolerance);
          std::vector<float> without(tokens * dim);
          dropout_add_layer_norm(pool, x.data(), {}, residual, gamma.data(), beta.data(), nullptr, nullptr,
                                 nullptr, without.data(), tokens, dim);
          CHECK(same_bits(f.y, without));
          auto gradient = dy;  // in place
          std::vector<float> g(dim, 1), b(dim, 2);
          layer_norm_backward(pool, gradient.data(), f.sum.data(), f.mean.data(), f.rstd.data(), gamma.data(),
                              gradient.data(), g.data(), b.data(), tokens, dim);
          if (dim > 2) CHECK_NEAR(distance(gradient, dsum), 0, tolerance);
          CHECK_NEAR(distance(g, dgamma), 0, tolerance);
          CHECK_NEAR(distance(b, dbeta), 0, 2e-6);
        });
      }
    }
  }
}

CASE("a large common offset does not spoil the variance") {
  ThreadPool pool(1);
  const int64_t dim = 384;
  std::vector<float> x = random_values(dim, 46), gamma(dim, 1), beta(dim, 0);
  for (float& value : x) value = value * 0.5f + 1000;
  double mean = 0, variance = 0;
  for (float value : x) mean += static_cast<double>(value) / dim;
  for (float value : x) variance += (value - mean) * (value - mean) / dim;
  on_every_isa([&] {
    const Forward f = forward(pool, x, {}, nullptr, gamma, beta, 1);
    CHECK_NEAR(f.rstd[0], 1 / std::sqrt(variance), 1e-6);
  });
}

CASE("a dropped sum is the sum of what apply_dropout leaves, the same on every instruction set") {
  ThreadPool pool(2);
  const int64_t tokens = 37, dim = 100;
  const auto x = random_values(tokens * dim, 47), extra = random_values(tokens * dim, 48),
             gamma = random_values(dim, 49);
  const auto beta = random_values(dim, 50);
  const Dropout dropout{0.1f, 77, 8, 9};
  std::vector<float> reference;
  on_every_isa([&] {
    std::vector<float> sum(tokens * dim);
    apply_dropout(pool, x.data(), dropout, sum.data(), tokens * dim);
    for (int64_t i = 0; i < tokens * dim; ++i) sum[i] += extra[i];
    if (reference.empty()) reference = sum;
    CHECK(same_bits(sum, reference));
    CHECK(same_bits(forward(pool, x, dropout, extra.data(), gamma, beta, tokens).sum, reference));
  });
}

CASE("Philox 4x32-10 gives Random123's known answers") {
  // Salmon et al.'s kat_vectors: counter and key all zero, then all ones.
  on_every_isa([&] {
    uint16_t draws[128];
    const uint32_t zero[2] = {0, 0}, ones[2] = {0xffffffff, 0xffffffff};
    inner().philox(zero, zero, 0, 1, draws);
    const uint32_t of_zero[4] = {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8};
    for (int i = 0; i < 4; ++i)
      CHECK((draws[i * 32] | static_cast<uint32_t>(draws[i * 32 + 1]) << 16) == of_zero[i]);
    inner().philox(ones, ones, ~uint64_t{0} / 16, 1,
                   draws);  // the last counter stands in the last of 16 places
    const uint32_t of_ones[4] = {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd};
    for (int i = 0; i < 4; ++i)
      CHECK((draws[i * 32 + 30] | static_cast<uint32_t>(draws[i * 32 + 31]) << 16) == of_ones[i]);
  });
}

CASE(
    "a tenth is dropped, the rest scaled; seed, step and site each give another mask, and no neighbour tells "
    "of another") {
  ThreadPool pool(2);
  const int64_t n = 1 << 20;
  const std::vector<float> ones(n, 1);
  const auto mask = [&](const Dropout& dropout) {
    std::vector<float> values(n);
    apply_dropout(pool, ones.data(), dropout, values.data(), n);
    return values;
  };
  const auto share = [&](auto&& counts) {
    int64_t total = 0;
    for (int64_t i = 0; i < n; ++i) total += counts(i);
    return static_cast<double>(total) / n;
  };
  const auto first = mask({0.1f, 42, 1, 1});
  for (float value : first) CHECK(value == 0 || value == 1 / (1 - 0.1f));
  // Standard deviation of a share over 2^20 draws is at most 5e-4; five of them.
  CHECK_NEAR(share([&](int64_t i) { return first[i] == 0; }), 6554.0 / 65536, 1.5e-3);
  CHECK_NEAR(share([&](int64_t i) { return first[i] == 0 && first[(i + 1) % n] == 0; }), 0.01, 5e-4);
  CHECK_NEAR(share([&](int64_t i) { return first[i] == 0 && first[(i + 128) % n] == 0; }), 0.01, 5e-4);
  const Dropout others[] = {{0.1f, 43, 1, 1},
                            {0.1f, uint64_t{42} | uint64_t{1} << 32, 1, 1},
                            {0.1f, 42, 2, 1},
                            {0.1f, 42, 1, 2},
                            {0.1f, 42, 1 | uint64_t{1} << 32, 1}};
  for (const Dropout& dropout : others) {
    const auto other = mask(dropout);
    CHECK_NEAR(share([&](int64_t i) { return first[i] == 0 && other[i] == 0; }), 0.01, 5e-4);
  }
  CHECK(same_bits(mask({0, 42, 1, 1}), ones));
}

CASE("1, 2 and 4 threads give the same bits in layer norm, its gradients and dropout") {
  const int64_t tokens = 203, dim = 96;
  const auto x = random_values(tokens * dim, 51), extra = random_values(tokens * dim, 52),
             gamma = random_values(dim, 53);
  const auto beta = random_values(dim, 54);
  on_every_isa([&] {
    std::vector<float> results[3];
    for (int round = 0; round < 3; ++round) {
      ThreadPool pool(1 << round);
      Forward f = forward(pool, x, Dropout{0.1f, 1, 2, 3}, extra.data(), gamma, beta, tokens);
      std::vector<float> dgamma(dim), dbeta(dim), dsum(tokens * dim);
      layer_norm_backward(pool, extra.data(), f.sum.data(), f.mean.data(), f.rstd.data(), gamma.data(),
                          dsum.data(), dgamma.data(), dbeta.data(), tokens, dim);
      for (const auto& part : {f.y, dsum, dgamma, dbeta})
        results[round].insert(results[round].end(), part.begin(), part.end());
    }
    CHECK(same_bits(results[0], results[1]) && same_bits(results[0], results[2]));
  });
}

CASE("a row alone gets the bits it gets in a batch") {
  ThreadPool pool(2);
  const int64_t tokens = 50, dim = 77;
  const auto x = random_values(tokens * dim, 55), gamma = random_values(dim, 56),
             beta = random_values(dim, 57);
  on_every_isa([&] {
    const Forward all = forward(pool, x, {}, nullptr, gamma, beta, tokens);
    for (int64_t t = 0; t < tokens; ++t) {
      const Forward one =
          forward(pool, {x.begin() + t * dim, x.begin() + (t + 1) * dim}, {}, nullptr, gamma, beta, 1);
      CHECK(std::memcmp(one.y.data(), all.y.data() + t * dim, dim * sizeof(float)) == 0);
    }
  });
}

MAIN
