#include "head_fit.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "../failure.h"

namespace distiltune::model {
namespace {

constexpr double tolerance = 1e-10;
// What a task takes: columns whose gradients stay in the first-level cache, rows enough to be worth a task.
constexpr int64_t rows_at_once = 32;
constexpr int64_t columns_at_once = 64;

int64_t parts(int64_t total, int64_t at_once) { return (total + at_once - 1) / at_once; }

/** Eight sums side by side, which the compiler keeps in vectors. */
double dot(const double* a, const double* b, int64_t count) {
  constexpr int64_t lanes = 8;
  double sums[lanes] = {};
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes)
    for (int64_t lane = 0; lane < lanes; ++lane) sums[lane] += a[i + lane] * b[i + lane];
  for (int64_t lane = 0; i < count; ++i, ++lane) sums[lane] += a[i] * b[i];
  return ((sums[0] + sums[4]) + (sums[2] + sums[6])) + ((sums[1] + sums[5]) + (sums[3] + sums[7]));
}

/** -log softmax(z)[actual]; leaves softmax(z) in z. */
double cross_entropy(double* z, int64_t labels, int64_t actual) {
  const double largest = *std::max_element(z, z + labels), own = z[actual];
  double sum = 0;
  for (int64_t i = 0; i < labels; ++i) sum += z[i] = std::exp(z[i] - largest);
  for (int64_t i = 0; i < labels; ++i) z[i] /= sum;
  return std::log(sum) + (largest - own);
}

}  // namespace

void check(const HeadRows& rows) {
  const auto refuse = [](const std::string& reason) { throw Failure("HEAD_ROWS_INVALID", reason); };
  if (rows.classes.empty()) refuse("Expected at least one row");
  if (rows.features.empty() || rows.features.size() % rows.classes.size() != 0)
    refuse("Expected as many features for each of " + std::to_string(rows.classes.size()) + " rows, got " +
           std::to_string(rows.features.size()) + " together");
  for (const int32_t each : rows.classes)
    if (each < 0 || each >= rows.labels)
      refuse("Class " + std::to_string(each) + " is not one of " + std::to_string(rows.labels));
}

HeadFit::HeadFit(const HeadRows& rows, double l2, int threads)
    : rows_(rows.rows()),
      dim_(rows.dim()),
      labels_(rows.labels),
      l2_(l2),
      mean_(static_cast<size_t>(dim_)),
      features_(rows.features.begin(), rows.features.end()),
      classes_(rows.classes),
      pool_(threads),
      errors_(static_cast<size_t>(rows_ * labels_)) {
  // A bias takes up what shifting the features does, and no penalty sees it. About their mean the problem is
  // far rounder: features behind a relu all lie on one side of 0.
  const auto n = static_cast<double>(rows_);
  for (int64_t i = 0; i < rows_ * dim_; ++i) mean_[i % dim_] += features_[i] / n;
  for (int64_t i = 0; i < rows_ * dim_; ++i) features_[i] -= mean_[i % dim_];
  largest_gradient_ = 0;
  for (int64_t row = 0; row < rows_; ++row) {
    const double* own = &features_[row * dim_];
    largest_gradient_ += std::sqrt(2 * (1 + dot(own, own, dim_))) / n;  // |softmax - one-hot|² is at most 2
  }
  solver_.emplace([this](const auto& x, auto& gradient) { return value(x, gradient); },
                  std::vector<double>(static_cast<size_t>(labels_ * (dim_ + 1))));
}

bool HeadFit::step() { return !converged() && solver_->step(); }

bool HeadFit::converged() const { return solver_->gradient_norm() <= tolerance * largest_gradient_; }

Head HeadFit::head() const {
  const std::vector<double>& x = solver_->x();
  Head head{{x.begin(), x.begin() + labels_ * dim_}, {}};
  for (int64_t label = 0; label < labels_; ++label)
    head.bias.push_back(
        static_cast<float>(x[labels_ * dim_ + label] - dot(&x[label * dim_], mean_.data(), dim_)));
  return head;
}

std::vector<double> HeadFit::logits(const Head& head) const {
  check(head, labels_, dim_);
  const std::vector<double> weight(head.weight.begin(), head.weight.end());
  std::vector<double> bias(head.bias.begin(), head.bias.end());
  for (int64_t label = 0; label < labels_; ++label)
    bias[label] += dot(&weight[label * dim_], mean_.data(), dim_);
  std::vector<double> z(static_cast<size_t>(rows_ * labels_));
  apply(weight.data(), bias.data(), z.data());
  return z;
}

double HeadFit::value(const std::vector<double>& x, std::vector<double>& gradient) {
  const double* weight = x.data();
  const int64_t weights = labels_ * dim_;
  const auto n = static_cast<double>(rows_);
  apply(weight, weight + weights, errors_.data());
  double sum = 0;
  std::fill_n(&gradient[weights], labels_, 0.0);
  for (int64_t row = 0; row < rows_; ++row) {
    double* own = &errors_[row * labels_];
    sum += cross_entropy(own, labels_, classes_[row]);
    own[classes_[row]] -= 1;
    for (int64_t label = 0; label < labels_; ++label) gradient[weights + label] += own[label] / n;
  }
  pool_.run(parts(dim_, columns_at_once), [&](int64_t task) {
    const int64_t from = task * columns_at_once, to = std::min(from + columns_at_once, dim_);
    for (int64_t label = 0; label < labels_; ++label)
      for (int64_t i = from; i < to; ++i) gradient[label * dim_ + i] = l2_ / n * weight[label * dim_ + i];
    for (int64_t row = 0; row < rows_; ++row) {
      for (int64_t label = 0; label < labels_; ++label) {
        const double error = errors_[row * labels_ + label] / n;
        const double* own = &features_[row * dim_];
        double* sums = &gradient[label * dim_];
        for (int64_t i = from; i < to; ++i) sums[i] += error * own[i];
      }
    }
  });
  return (sum + l2_ / 2 * dot(weight, weight, weights)) / n;
}

void HeadFit::apply(const double* weight, const double* bias, double* z) const {
  pool_.run(parts(rows_, rows_at_once), [&](int64_t task) {
    const int64_t end = std::min((task + 1) * rows_at_once, rows_);
    for (int64_t row = task * rows_at_once; row < end; ++row)
      for (int64_t label = 0; label < labels_; ++label)
        z[row * labels_ + label] = bias[label] + dot(&features_[row * dim_], &weight[label * dim_], dim_);
  });
}

}  // namespace distiltune::model
