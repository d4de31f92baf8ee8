#pragma once
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "../../kernels/thread_pool.h"
#include "../ops/aten.h"
#include "../ops/cpu.h"
#include "../workspace.h"
#include "examples.h"

// Our kernels in float beside ATen in double.

namespace distiltune::engine::test {

// Float sums of up to 700 products of values near 1, relative to the whole result.
constexpr double tolerance = 2e-6;

/** The same values in float and in double, and what an operation makes of them. */
struct Pair {
  View single, wide;
};

class Twins {
 public:
  Twins() : pool_(2), cpu_(make_cpu_ops(pool_)), aten_(make_aten_ops(DType::f64, 1)) {}

  Pair drawn(int64_t rows, int64_t cols) {
    const Pair pair = empty(rows, cols);
    for (int64_t at = 0; at < rows * cols; ++at) {
      const float value = normal_(random_);
      set_at(pair.single, at, value);
      set_at(pair.wide, at, value);
    }
    return pair;
  }
  Pair empty(int64_t rows, int64_t cols) {
    buffers_.emplace_back(rows * cols * 4);
    void* const single = buffers_.back().data();
    buffers_.emplace_back(rows * cols * 8);
    return {{single, DType::f32, rows, cols, cols}, {buffers_.back().data(), DType::f64, rows, cols, cols}};
  }

  /** body(ops, pick): pick takes the view of a pair that the operations work on. */
  template <class Body>
  void both(Body body) {
    body(*cpu_, [](const Pair& pair) { return pair.single; });
    body(*aten_, [](const Pair& pair) { return pair.wide; });
  }

 private:
  kernels::ThreadPool pool_;
  std::unique_ptr<Ops> cpu_, aten_;
  std::vector<Buffer> buffers_;
  std::mt19937 random_{5};
  std::normal_distribution<float> normal_;
};

inline void check(const char* what, const Pair& pair) {
  const double off = distance(values_of(pair.single), values_of(pair.wide));
  if (!(off <= tolerance)) {
    throw distiltune::test::Mismatch{std::string(what) + " is off by " + std::to_string(off / tolerance) +
                                     " tolerances"};
  }
}

}  // namespace distiltune::engine::test
