#include "model/head_fit.h"

#include <cmath>
#include <limits>

#include "failure.h"
#include "test/check.h"

using namespace distiltune;
using model::HeadFit;
using model::HeadRows;

namespace {

/** Features as a relu leaves them, from sines; every label has a row. */
HeadRows example(int64_t rows, int64_t dim, int64_t labels) {
  HeadRows example{{}, {}, labels};
  for (int64_t row = 0; row < rows; ++row) {
    example.classes.push_back(static_cast<int32_t>(row % labels));
    for (int64_t i = 0; i < dim; ++i) {
      const double own = std::sin(1.3 * static_cast<double>(i * labels + row % labels));
      const double noise = std::sin(static_cast<double>(row * row) + 2.7 * static_cast<double>(i));
      example.features.push_back(static_cast<float>(std::max(0.0, own + noise + 0.3)));
    }
  }
  return example;
}

/** To the end; the iterations it took. */
int run(HeadFit& fit) {
  int iterations = 0;
  while (fit.step()) ++iterations;
  return iterations;
}

/** Mean -log softmax of a head on the rows of its fit. */
double loss(const HeadFit& fit, const model::Head& head, const HeadRows& rows) {
  const std::vector<double> z = fit.logits(head);
  double sum = 0;
  for (int64_t row = 0; row < rows.rows(); ++row) {
    double exponentials = 0;
    for (int64_t label = 0; label < rows.labels; ++label)
      exponentials += std::exp(z[row * rows.labels + label] - z[row * rows.labels + rows.classes[row]]);
    sum += std::log(exponentials);
  }
  return sum / static_cast<double>(rows.rows());
}

std::string refusal(const HeadRows& rows) {
  try {
    model::check(rows);
  } catch (const Failure& failure) {
    return failure.what();
  }
  return "";
}

}  // namespace

CASE("L-BFGS finds the minimum of an ill-conditioned quadratic as fast as others do") {
  const auto quadratic = [](const std::vector<double>& x, std::vector<double>& gradient) {
    double value = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      const double weight = std::pow(10.0, static_cast<double>(i) / 4), off = x[i] - 1;
      value += weight * off * off / 2;
      gradient[i] = weight * off;
    }
    return value;
  };
  model::Lbfgs solver(quadratic, std::vector<double>(17));  // condition 10⁴
  int steps = 0;
  while (solver.gradient_norm() > 1e-9 && solver.step()) ++steps;
  CHECK_NEAR(solver.gradient_norm(), 0, 1e-9);
  CHECK(steps < 1000);  // SciPy's L-BFGS-B takes 694; steepest descent would take over a hundred thousand
  for (const double each : solver.x()) CHECK_NEAR(each, 1, 1e-9);
}

CASE("L-BFGS takes no step where the value is not finite") {
  model::Lbfgs solver(
      [](const std::vector<double>&, std::vector<double>& gradient) {
        gradient[0] = 1;
        return std::numeric_limits<double>::quiet_NaN();
      },
      {3});
  CHECK(!solver.step());
  CHECK(solver.x() == std::vector<double>{3});
}

CASE("the gradient equals central differences") {
  for (const int64_t labels : {2, 5}) {
    HeadFit fit(example(13, 7, labels), 0.7, 1);
    std::vector<double> x(static_cast<size_t>(labels * 8)), gradient(x.size()), unused(x.size());
    for (size_t i = 0; i < x.size(); ++i) x[i] = std::sin(0.7 * static_cast<double>(i));
    fit.value(x, gradient);
    for (size_t i = 0; i < x.size(); ++i) {
      const double own = x[i], h = 1e-5;
      x[i] = own + h;
      const double above = fit.value(x, unused);
      x[i] = own - h;
      const double below = fit.value(x, unused);
      x[i] = own;
      // a third derivative below 10 leaves h² · 10 / 6, rounding leaves 1e-15 / h
      CHECK_NEAR(gradient[i], (above - below) / (2 * h), 5e-10);
    }
  }
}

CASE("every size converges, and the outcome is at least as good as the heads around it") {
  for (const int64_t labels : {2, 3, 50}) {
    for (const int64_t rows : {labels, 4 * labels + 1}) {
      for (const int64_t dim : {1, 65}) {
        const HeadRows given = example(rows, dim, labels);
        HeadFit fit(given, 1, 1);
        run(fit);
        CHECK(fit.converged());
        const model::Head head = fit.head();
        const auto penalised = [&](const model::Head& head) {
          double squares = 0;
          for (const float each : head.weight) squares += static_cast<double>(each) * each;
          return loss(fit, head, given) + squares / 2 / static_cast<double>(rows);
        };
        const double least = penalised(head);
        for (int i = 0; i < 8; ++i) {
          model::Head other = head;
          for (size_t k = 0; k < other.weight.size(); ++k)
            other.weight[k] += static_cast<float>(0.01 * std::sin(static_cast<double>(k * 7 + i)));
          for (size_t k = 0; k < other.bias.size(); ++k)
            other.bias[k] += static_cast<float>(0.01 * std::cos(static_cast<double>(k * 3 + i)));
          CHECK(penalised(other) > least);
        }
      }
    }
  }
}

CASE("constant features leave the shares of the labels") {
  HeadRows rows{std::vector<float>(40, 2.5f), {}, 3};
  for (int32_t row = 0; row < 10; ++row) rows.classes.push_back(row < 5 ? 0 : row < 8 ? 1 : 2);
  HeadFit fit(rows, 1, 1);
  run(fit);
  CHECK(fit.converged());
  const model::Head head = fit.head();
  for (const float each : head.weight) CHECK_NEAR(each, 0, 1e-7);
  // entropy of (.5, .3, .2)
  CHECK_NEAR(loss(fit, head, rows), -0.5 * std::log(0.5) - 0.3 * std::log(0.3) - 0.2 * std::log(0.2), 1e-7);
}

CASE("separable rows under a weak penalty converge") {
  const HeadRows rows = example(12, 40, 3);
  HeadFit fit(rows, 1e-4, 1);
  CHECK(run(fit) < 500);
  CHECK(fit.converged());
  CHECK(loss(fit, fit.head(), rows) < 1e-2);  // so every row is right
}

CASE("large and small features converge") {
  for (const float scale : {1e-6f, 1e4f}) {
    HeadRows rows = example(60, 9, 3);
    for (float& each : rows.features) each *= scale;
    HeadFit fit(rows, 1, 1);
    run(fit);
    CHECK(fit.converged());
  }
}

CASE("features that are not finite end in no head, not in an endless search") {
  HeadRows rows = example(10, 4, 2);
  rows.features[7] = std::numeric_limits<float>::infinity();
  HeadFit fit(rows, 1, 1);
  CHECK(run(fit) == 0);
  CHECK(!fit.converged());
}

CASE("any number of threads gives the same bits") {
  const HeadRows rows = example(150, 130, 4);
  HeadFit one(rows, 1, 1), three(rows, 1, 3);
  CHECK(run(one) == run(three));
  CHECK(one.head().weight == three.head().weight);
  CHECK(one.head().bias == three.head().bias);
}

CASE("rows that would read outside memory are refused") {
  CHECK(refusal({{1, 2, 3, 4}, {0, 1}, 2}).empty());
  CHECK(!refusal({{}, {}, 2}).empty());
  CHECK(!refusal({{1, 2, 3}, {0, 1}, 2}).empty());
  CHECK(!refusal({{}, {0, 1}, 2}).empty());
  CHECK(!refusal({{1, 2}, {0, -1}, 2}).empty());
  CHECK(refusal({{1, 2}, {0, 2}, 2}) == "Class 2 is not one of 2");
}

MAIN
