#include "kernels/adamw.h"

#include "kernels/test/twins.h"

using namespace distiltune::kernels;
using namespace distiltune::kernels::test;

namespace {

struct State {
  std::vector<float> parameter, moment1, moment2;
};

constexpr AdamWFlavor flavors[] = {AdamWFlavor::torch, AdamWFlavor::hf};

void check_same(const State& got, const State& want) {
  CHECK(same_bits(got.parameter, want.parameter) && same_bits(got.moment1, want.moment1));
  CHECK(same_bits(got.moment2, want.moment2));
}

State state_of(int64_t n) { return {random_values(n, 61), std::vector<float>(n), std::vector<float>(n)}; }

}  // namespace

CASE("ten updates follow the formula of each flavor in double, with and without decay, with either epsilon") {
  ThreadPool pool(2);
  const int64_t n = 70001;
  for (const AdamWFlavor flavor : flavors) {
    for (const double decay : {0.0, 0.01}) {
      for (const double epsilon : {1e-8, 1e-3}) {  // at 1e-3 the two part by far
        on_every_isa([&] {
          State s = state_of(n);
          std::vector<double> p(s.parameter.begin(), s.parameter.end()), m(n), v(n);
          for (int64_t t = 1; t <= 10; ++t) {
            const auto gradient = random_values(n, 62 + t);
            const double rate = 5e-3 / static_cast<double>(t);
            const double c1 = 1 - std::pow(0.9, t), c2 = 1 - std::pow(0.999, t);
            adamw(pool, {flavor, rate, 0.9, 0.999, epsilon, decay, t, 0.5}, s.parameter.data(),
                  s.moment1.data(), s.moment2.data(), gradient.data(), n);
            for (int64_t i = 0; i < n; ++i) {
              const double g = gradient[i] * 0.5;
              m[i] = 0.9 * m[i] + 0.1 * g;
              v[i] = 0.999 * v[i] + 0.001 * g * g;
              if (flavor == AdamWFlavor::torch) {
                p[i] *= 1 - rate * decay;
                p[i] -= rate / c1 * m[i] / (std::sqrt(v[i]) / std::sqrt(c2) + epsilon);
              } else {
                p[i] -= rate * std::sqrt(c2) / c1 * m[i] / (std::sqrt(v[i]) + epsilon);
                p[i] -= rate * decay * p[i];
              }
            }
          }
          // Ten roundings of values near the largest; a decay at the wrong side of the update is 1e-5 off.
          CHECK_NEAR(distance(s.parameter, p), 0, 1e-6);
          CHECK_NEAR(distance(s.moment1, m), 0, 1e-6);
          CHECK_NEAR(distance(s.moment2, v), 0, 1e-6);
        });
      }
    }
  }
}

CASE("all instruction sets and 1, 2 and 4 threads update to the same bits") {
  const int64_t n = 200003;
  const auto gradient = random_values(n, 63);
  for (const AdamWFlavor flavor : flavors) {
    State reference;
    on_every_isa([&] {
      for (int threads : {1, 2, 4}) {
        ThreadPool pool(threads);
        State s = state_of(n);
        for (int64_t t = 1; t <= 3; ++t) {
          adamw(pool, {flavor, 1e-3, 0.9, 0.999, 1e-8, 0.01, t, 0.7}, s.parameter.data(), s.moment1.data(),
                s.moment2.data(), gradient.data(), n);
        }
        if (reference.parameter.empty()) reference = s;
        check_same(s, reference);
      }
    });
  }
}

CASE("a table whose rows get their updates late ends in the bits of the dense update") {
  ThreadPool pool(2);
  const int64_t entries = 4001, dim = 37;
  for (const AdamWFlavor flavor : flavors) {
    for (const double decay : {0.0, 0.01}) {
      on_every_isa([&] {
        State dense = state_of(entries * dim), rows = dense;
        LateRows late;
        for (int64_t t = 1; t <= 6; ++t) {
          RowGradient gradient;
          for (int64_t id = t % 3; id < entries; id += t == 4 ? 1000 : 7 * t)
            gradient.ids.push_back(static_cast<int32_t>(id));
          gradient.values = random_values(static_cast<int64_t>(gradient.ids.size()) * dim, 64 + t);
          std::vector<float> full(entries * dim);
          for (size_t i = 0; i < gradient.ids.size(); ++i) {
            std::copy_n(gradient.values.data() + i * dim, dim, full.data() + gradient.ids[i] * dim);
          }
          const AdamWStep step{flavor, 1e-3, 0.9, 0.999, 1e-8, decay, t, 1};
          adamw(pool, step, dense.parameter.data(), dense.moment1.data(), dense.moment2.data(), full.data(),
                entries * dim);
          adamw_rows(pool, step, rows.parameter.data(), rows.moment1.data(), rows.moment2.data(), gradient,
                     entries, dim, late);
          const std::vector<int32_t> read{5, 0, 3998};
          level_rows(pool, rows.parameter.data(), rows.moment1.data(), rows.moment2.data(), read, dim, late);
          for (const int32_t id : read) {
            CHECK(std::equal(rows.parameter.begin() + id * dim, rows.parameter.begin() + (id + 1) * dim,
                             dense.parameter.begin() + id * dim));
          }
          if (t != 2 && t != 6) continue;  // rows wait for up to four updates
          level_rows(pool, rows.parameter.data(), rows.moment1.data(), rows.moment2.data(), entries, dim,
                     late);
          check_same(rows, dense);
        }
      });
    }
  }
}

CASE("a row that never had a gradient stays where it is, unless there is decay") {
  ThreadPool pool(2);
  const int64_t entries = 50, dim = 37;
  for (const AdamWFlavor flavor : flavors) {
    for (const double decay : {0.0, 0.01}) {
      State s = state_of(entries * dim);
      const State before = s;
      const RowGradient gradient{{7}, random_values(dim, 66)};
      LateRows late;
      for (int64_t t = 1; t <= 3; ++t) {
        adamw_rows(pool, {flavor, 1e-3, 0.9, 0.999, 1e-8, decay, t, 1}, s.parameter.data(), s.moment1.data(),
                   s.moment2.data(), t == 1 ? gradient : RowGradient{}, entries, dim, late);
        level_rows(pool, s.parameter.data(), s.moment1.data(), s.moment2.data(), entries, dim, late);
        for (int64_t i = 0; i < entries * dim; ++i) {
          const bool met = i / dim == 7;
          const double moved = s.parameter[i] - before.parameter[i];
          CHECK((moved != 0) == (met || decay > 0));
          if (!met)
            CHECK_NEAR(moved, -1e-3 * decay * t * before.parameter[i], 1e-6);  // a few float roundings
          CHECK((s.moment1[i] != 0) == met);
        }
      }
    }
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
