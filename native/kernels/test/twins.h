#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <iterator>
#include <new>
#include <string>
#include <vector>

#include "kernels/inner.h"
#include "kernels/inner_bf16.h"
#include "kernels/random.h"
#include "test/check.h"

// What the kernel tests share: values to work on, comparisons, and the instruction sets this machine can run.

namespace distiltune::kernels::test {

inline std::vector<float> random_values(int64_t n, uint64_t seed, float deviation = 1) {
  std::vector<float> values(n);
  Generator generator(seed);
  normal(generator, deviation, values.data(), n);
  return values;
}

/** Runs body once with each of `all` that `runs` here in use, names it in a failure, and leaves the machine's
 * `own` in use. */
template <typename Set, typename Runs, typename Body>
void on_each(std::initializer_list<Set> all, Set own, const Runs& runs, const Body& body) {
  for (const Set each : all) {
    if (!runs(each)) continue;
    use(each);
    try {
      body();
    } catch (distiltune::test::Mismatch& mismatch) {
      mismatch.reason += std::string(" (") + name(each) + ")";
      use(own);
      throw;
    }
  }
  use(own);
}

/** Runs body once under every instruction set of this machine. */
template <typename Body>
void on_every_isa(const Body& body) {
  const auto runs = [](Isa each) { return each <= isa() && inner(each).isa == each; };
  on_each({Isa::scalar, Isa::neon, Isa::avx2, Isa::avx512}, isa(), runs, body);
}

/** Runs body once for every way this machine can multiply bfloat16. */
template <typename Body>
void on_every_bf16_isa(const Body& body) {
  const auto runs = [](Bf16Isa each) { return each <= bf16_isa(); };
  on_each({Bf16Isa::scalar, Bf16Isa::avx2, Bf16Isa::avx512_bf16}, bf16_isa(), runs, body);
}

/** Memory for packed weights. */
class Aligned {
 public:
  explicit Aligned(size_t bytes) : data_(::operator new(bytes, std::align_val_t{64})) {}
  ~Aligned() { ::operator delete(data_, std::align_val_t{64}); }
  Aligned(const Aligned&) = delete;
  Aligned& operator=(const Aligned&) = delete;
  void* data() const { return data_; }

 private:
  void* data_;
};

inline bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

/** Largest |got - want| over the largest |want| (or 1e-30). */
inline double distance(const std::vector<float>& got, const std::vector<double>& want) {
  double difference = 0, size = 1e-30;
  for (size_t i = 0; i < want.size(); ++i) {
    if (!(std::fabs(got[i] - want[i]) <= 1e300)) return HUGE_VAL;
    difference = std::fmax(difference, std::fabs(got[i] - want[i]));
    size = std::fmax(size, std::fabs(want[i]));
  }
  return difference / size;
}

}  // namespace distiltune::kernels::test
