#pragma once
#include "exp_vector.h"
#include "inner.h"

namespace distiltune::kernels {
namespace {

// Scores have a stride of 16, so whole vectors may be read up to there; what lies past the last key is cut
// off by a mask.

void exponentials(float* s, int64_t n, int64_t padded, float scale, float* max, float* sum_out) {
  const int64_t whole = n / width * width;
  const Mask rest = first(n - whole);
  Vec top = whole < n ? select(rest, load(s + whole), set(-3e38f)) : set(-3e38f);
  for (int64_t i = 0; i < whole; i += width) top = larger(load(s + i), top);
  *max = largest(top) * scale;
  const Vec factor = set(scale), shift = set(-*max);
  Vec total = zero();
  for (int64_t i = 0; i < whole; i += width) {
    const Vec e = exponential(fma(load(s + i), factor, shift));
    total = add(total, e);
    store(s + i, e);
  }
  for (int64_t i = whole; i < padded; i += width) {
    const Vec e = i < n ? select(rest, exponential(fma(load(s + i), factor, shift)), zero()) : zero();
    total = add(total, e);
    store(s + i, e);
  }
  *sum_out = sum(total);
}

void attention_gradient(float* p, float* dp, const DropoutDraws& draws, int64_t n, int64_t padded,
                        float scale, float lse, float delta) {
  const Vec factor = set(scale), shift = set(-lse), kept_scale = set(draws.scale), row_delta = set(delta);
  for (int64_t i = 0; i < padded; i += width) {
    const Vec probability = exponential(fma(load(p + i), factor, shift));
    const Vec keep =
        draws.draws ? select(kept(draws.draws + i, draws.threshold), kept_scale, zero()) : kept_scale;
    Vec weight = mul(probability, keep);
    Vec gradient = mul(mul(probability, fma(load(dp + i), keep, sub(zero(), row_delta))), factor);
    if (i + width > n) {
      const Mask mask = first(n > i ? n - i : 0);
      weight = select(mask, weight, zero());
      gradient = select(mask, gradient, zero());
    }
    store(p + i, weight);
    store(dp + i, gradient);
  }
}

}  // namespace
}  // namespace distiltune::kernels
