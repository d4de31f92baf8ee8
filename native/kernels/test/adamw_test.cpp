#include "kernels/adamw.h"

#include "kernels/test/twins.h"

using namespace distiltune::kernels;
using namespace distiltune::kernels::test;

namespace {

struct State {
  std::vector<float> parameter, moment1, moment2;
};

State state_of(int64_t n) { return {random_values(n, 61), std::vector<float>(n), std::vector<float>(n)}; }

}  // namespace

CASE("ten updates follow the formulas of torch.optim.AdamW in double, with and without decay") {
  ThreadPool pool(2);
  const int64_t n = 70001;
  for (double decay : {0.0, 0.01}) {
    on_every_isa([&] {
      State s = state_of(n);
      std::vector<double> p(s.parameter.begin(), s.parameter.end()), m(n), v(n);
      for (int64_t t = 1; t <= 10; ++t) {
        const auto gradient = random_values(n, 62 + t);
        const double rate = 5e-3 / static_cast<double>(t);
        adamw(pool, {rate, 0.9, 0.999, 1e-8, decay, t, 0.5f}, s.parameter.data(), s.moment1.data(),
              s.moment2.data(), gradient.data(), n);
        for (int64_t i = 0; i < n; ++i) {
          const double g = gradient[i] * 0.5;
          p[i] *= 1 - rate * decay;
          m[i] = 0.9 * m[i] + 0.1 * g;
          v[i] = 0.999 * v[i] + 0.001 * g * g;
          const double denominator = std::sqrt(v[i]) / std::sqrt(1 - std::pow(0.999, t)) + 1e-8;
          p[i] -= rate / (1 - std::pow(0.9, t)) * m[i] / denominator;
        }
      }
      CHECK_NEAR(distance(s.parameter, p), 0, 1e-6);
      CHECK_NEAR(distance(s.moment1, m), 0, 1e-6);
      CHECK_NEAR(distance(s.moment2, v), 0, 1e-6);
    });
  }
}

CASE("all instruction sets and 1, 2 and 4 threads update to the same bits") {
  const int64_t n = 200003;
  const auto gradient = random_values(n, 63);
  State reference;
  on_every_isa([&] {
    for (int threads : {1, 2, 4}) {
      ThreadPool pool(threads);
      State s = state_of(n);
      for (int64_t t = 1; t <= 3; ++t) {
        adamw(pool, {1e-3, 0.9, 0.999, 1e-8, 0.01, t, 0.7f}, s.parameter.data(), s.moment1.data(),
              s.moment2.data(), gradient.data(), n);
      }
      if (reference.parameter.empty()) reference = s;
      CHECK(same_bits(s.parameter, reference.parameter) && same_bits(s.moment1, reference.moment1));
      CHECK(same_bits(s.moment2, reference.moment2));
    }
  });
}

CASE("a table updated by its rows of gradient ends in the bits of the dense update") {
  ThreadPool pool(2);
  const int64_t entries = 4001, dim = 37;
  for (double decay : {0.0, 0.01}) {
    on_every_isa([&] {
      State dense = state_of(entries * dim), rows = dense;
      for (int64_t t = 1; t <= 6; ++t) {
        RowGradient gradient;
        for (int64_t id = t % 3; id < entries; id += t == 4 ? 1000 : 7 * t)
          gradient.ids.push_back(static_cast<int32_t>(id));
        gradient.values = random_values(static_cast<int64_t>(gradient.ids.size()) * dim, 64 + t);
        std::vector<float> full(entries * dim);
        for (size_t i = 0; i < gradient.ids.size(); ++i) {
          std::copy_n(gradient.values.data() + i * dim, dim, full.data() + gradient.ids[i] * dim);
        }
        const AdamWStep step{1e-3, 0.9, 0.999, 1e-8, decay, t, 1};
        adamw(pool, step, dense.parameter.data(), dense.moment1.data(), dense.moment2.data(), full.data(),
              entries * dim);
        adamw_rows(pool, step, rows.parameter.data(), rows.moment1.data(), rows.moment2.data(), gradient,
                   entries, dim);
        CHECK(same_bits(dense.parameter, rows.parameter) && same_bits(dense.moment1, rows.moment1));
        CHECK(same_bits(dense.moment2, rows.moment2));
      }
    });
  }
}

CASE("sum_of_squares adds in double, the same for every number of threads") {
  const int64_t n = 300007;
  const auto values = random_values(n, 65, 1e3f);
  double expected = 0;
  for (float value : values) expected += static_cast<double>(value) * value;
  on_every_isa([&] {
    ThreadPool one(1), two(2), four(4);
    const double sum = sum_of_squares(one, values.data(), n);
    CHECK_NEAR(sum / expected, 1, 1e-12);  // the plain sum has its own rounding
    CHECK(sum == sum_of_squares(two, values.data(), n) && sum == sum_of_squares(four, values.data(), n));
    CHECK(sum_of_squares(two, values.data(), 0) == 0);
    CHECK_NEAR(sum_of_squares(two, values.data(), 3),
               static_cast<double>(values[0]) * values[0] + static_cast<double>(values[1]) * values[1] +
                   static_cast<double>(values[2]) * values[2],
               1e-6);
  });
}

MAIN
