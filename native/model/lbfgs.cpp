#include "lbfgs.h"

#include <cmath>
#include <utility>

namespace distiltune::model {
namespace {

constexpr size_t remembered = 10;
constexpr double sufficient_decrease = 1e-4;  // c1 of Nocedal & Wright, 3.1
constexpr int halvings = 60;
// Of the value: what its own rounding may hide. Near the minimum the gradient still tells the way when values
// no longer differ.
constexpr double rounding = 1e-14;

double dot(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

/** y += scale x */
void add(double scale, const std::vector<double>& x, std::vector<double>& y) {
  for (size_t i = 0; i < x.size(); ++i) y[i] += scale * x[i];
}

}  // namespace

Lbfgs::Lbfgs(Objective objective, std::vector<double> start)
    : objective_(std::move(objective)), x_(std::move(start)), gradient_(x_.size()) {
  value_ = objective_(x_, gradient_);
}

double Lbfgs::gradient_norm() const { return std::sqrt(dot(gradient_, gradient_)); }

bool Lbfgs::step() {
  const std::vector<double> d = direction();
  const double slope = dot(gradient_, d);
  std::vector<double> x(x_.size()), gradient(x_.size());
  double length = 1;
  for (int i = 0; i < halvings; ++i, length /= 2) {
    x = x_;
    add(length, d, x);
    const double value = objective_(x, gradient);
    if (!(value <= value_ + sufficient_decrease * length * slope + rounding * std::abs(value_))) continue;
    std::vector<double> s = x, y = gradient;
    add(-1, x_, s);
    add(-1, gradient_, y);
    remember(std::move(s), std::move(y));
    x_ = std::move(x);
    gradient_ = std::move(gradient);
    value_ = value;
    return true;
  }
  return false;
}

/** Algorithm 7.4, the two loops; the first step has length 1. */
std::vector<double> Lbfgs::direction() const {
  std::vector<double> q = gradient_;
  std::vector<double> alpha(pairs_.size());
  for (size_t i = pairs_.size(); i-- > 0;) {
    alpha[i] = dot(pairs_[i].s, q) / pairs_[i].sy;
    add(-alpha[i], pairs_[i].y, q);
  }
  const double scale =
      pairs_.empty() ? 1 / gradient_norm() : pairs_.back().sy / dot(pairs_.back().y, pairs_.back().y);
  for (double& each : q) each *= scale;
  for (size_t i = 0; i < pairs_.size(); ++i) {
    const double beta = dot(pairs_[i].y, q) / pairs_[i].sy;
    add(alpha[i] - beta, pairs_[i].s, q);
  }
  for (double& each : q) each = -each;
  return q;
}

/** A convex function has s · y >= 0 without a second condition on the line search; 0 is rounding, and tells
 * nothing. */
void Lbfgs::remember(std::vector<double> s, std::vector<double> y) {
  const double sy = dot(s, y);
  if (!(sy > 0)) return;
  pairs_.push_back({std::move(s), std::move(y), sy});
  if (pairs_.size() > remembered) pairs_.pop_front();
}

}  // namespace distiltune::model
