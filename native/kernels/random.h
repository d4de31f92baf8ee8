#pragma once
#include <cstdint>

namespace distiltune::kernels {

/** torch's CPU generator: MT19937 (Matsumoto and Nishimura 1998) seeded with the low 32 bits of the seed. */
class Generator {
 public:
  explicit Generator(uint64_t seed);
  uint32_t next();
  /** Passes over `count` draws without making them: two thousand million a second. */
  void discard(int64_t count);

 private:
  friend void normal(Generator& generator, float std, float* out, int64_t n);
  void refill();
  uint32_t state_[624];
  int index_;
  double spare_normal_ =
      0;  // the sine of a pair whose cosine alone was wanted; the next short draw begins with it
  bool has_spare_normal_ = false;
};

/** Tensor.random_() of one int64: 63 bits of two draws, the high half first. */
int64_t int64(Generator& generator);

/** torch.randperm(n) for n < 2^32: n - 1 draws, a[i] swapped with a[i + draw % (n - i)]. */
void permutation(Generator& generator, int32_t* out, int64_t n);

/** Tensor.normal_(0, std) for a contiguous float tensor, in torch's two orders of drawing (below 16 values
 * and from 16 on). */
void normal(Generator& generator, float std, float* out, int64_t n);
/** Leaves the generator as normal() of n values does. */
void discard_normal(Generator& generator, int64_t n);

}  // namespace distiltune::kernels
