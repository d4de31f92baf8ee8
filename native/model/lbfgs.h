#pragma once
#include <cstdint>
#include <deque>
#include <functional>
#include <vector>

namespace distiltune::model {

/** The value of a function at x; writes its gradient, which is as long as x. */
using Objective = std::function<double(const std::vector<double>& x, std::vector<double>& gradient)>;

/**
 * Minimises a smooth convex function by L-BFGS with ten remembered steps (Nocedal & Wright, Numerical
 * Optimization, second edition, algorithms 7.4 and 7.5) and a backtracking line search (algorithm 3.1). Sums
 * in one order: the same function gives the same bits.
 */
class Lbfgs {
 public:
  Lbfgs(Objective objective, std::vector<double> start);

  /** One iteration. False, and nothing changed, where no step lowers the value: it is not finite, or rounding
   * hides what is left to gain. */
  bool step();

  const std::vector<double>& x() const { return x_; }
  double value() const { return value_; }
  /** Euclidean norm. */
  double gradient_norm() const;

 private:
  /** s = the step, y = the change of the gradient along it. */
  struct Pair {
    std::vector<double> s, y;
    double sy;
  };

  std::vector<double> direction() const;
  void remember(std::vector<double> s, std::vector<double> y);

  Objective objective_;
  std::vector<double> x_, gradient_;
  double value_;
  std::deque<Pair> pairs_;  // oldest first
};

}  // namespace distiltune::model
