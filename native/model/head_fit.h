#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "../kernels/thread_pool.h"
#include "head.h"
#include "lbfgs.h"

namespace distiltune::model {

/** Rows for a head: what it reads, and what it should say. */
struct HeadRows {
  std::vector<float> features;   // (rows, dim)
  std::vector<int32_t> classes;  // (rows), from 0 to labels - 1
  int64_t labels;

  int64_t rows() const { return static_cast<int64_t>(classes.size()); }
  int64_t dim() const { return static_cast<int64_t>(features.size()) / rows(); }
};

/** Throws HEAD_ROWS_INVALID where there is no row, no whole number of features a row, or a class out of
 * range. */
void check(const HeadRows& rows);

/**
 * Fits a head to rows, in double and from zero, so that the outcome depends on the rows alone:
 *
 *     minimise  sum over rows of -log softmax(W x + b)[class]  +  l2 / 2 · |W|²
 *
 * scikit-learn's LogisticRegression with C = 1 / l2. The bias is not penalised. For two labels scikit-learn
 * has one row of weights where this has two, each half of it, so the same optimum needs C = 2 / l2 there. The
 * same bits for any number of threads.
 */
class HeadFit {
 public:
  /** Checked rows; l2 above 0: without it separable rows have no optimum. */
  HeadFit(const HeadRows& rows, double l2, int threads);
  HeadFit(const HeadFit&) = delete;
  HeadFit& operator=(const HeadFit&) = delete;

  /** One iteration of L-BFGS. False where nothing is left to be done: converged(), or it cannot go on. */
  bool step();

  /**
   * The gradient is below 1e-10 of what it could be at most. With n rows of norm r and the strong convexity
   * l2 / n of the weights, these are then within 1e-10 n r / l2 of the optimum's: 2e-7 for 200 rows of norm
   * 10 and l2 = 1, about the rounding to float.
   */
  bool converged() const;

  /** The head so far, rounded to float. */
  Head head() const;

  /** What a head says of these rows, (rows, labels). Throws HEAD_INVALID. */
  std::vector<double> logits(const Head& head) const;

  /** What is minimised, divided by the number of rows, and its gradient. x holds a weight (labels, dim), then
   * a bias (labels), for features less their mean. */
  double value(const std::vector<double>& x, std::vector<double>& gradient);

 private:
  /** z (rows, labels) from a weight (labels, dim) and a bias (labels) that go with features_. */
  void apply(const double* weight, const double* bias, double* z) const;

  int64_t rows_, dim_, labels_;
  double l2_;
  std::vector<double> mean_;      // (dim) of the rows
  std::vector<double> features_;  // (rows, dim), less the mean
  std::vector<int32_t> classes_;
  mutable kernels::ThreadPool pool_;
  std::vector<double> errors_;  // (rows, labels): softmax less what it should be
  double largest_gradient_;
  std::optional<Lbfgs> solver_;
};

}  // namespace distiltune::model
