#pragma once
#include "exp_vector.h"
#include "inner.h"
#include "over_vector.h"

namespace distiltune::kernels {
namespace {

/** Standard normal: integral up to x and density at x. */
struct Normal {
  Vec cdf, pdf;
};

// For z >= 0 the upper tail is e^(-z^2 / 2) times a smooth function of t = 1 / (1 + 0.27 z); the coefficients are its minimax
// polynomial (Remez, 40 digits) over z from 0 to 14, relative error 2.4e-8. Density and tail share the exponential.
inline Normal standard_normal(Vec x) {
  const Vec z = magnitude(x);
  const Vec t = div(set(1), fma(z, set(0.27f), set(1)));
  Vec q = set(0.0289151751841f);
  q = fma(q, t, set(-0.126254813685f));
  q = fma(q, t, set(0.169290548239f));
  q = fma(q, t, set(-0.068620094883f));
  q = fma(q, t, set(0.107398896872f));
  q = fma(q, t, set(0.0722404833033f));
  q = fma(q, t, set(0.101759125173f));
  q = fma(q, t, set(0.107550510698f));
  q = fma(q, t, set(0.107720180849f));
  const Vec e = exponential(mul(mul(z, z), set(-0.5f)));
  const Vec tail = mul(mul(q, t), e);
  return {select(negative(x), tail, sub(set(1), tail)), mul(e, set(0.39894228040143268f))};
}

void gelu(const float* x, float* y, int64_t n) {
  over(n, [&](int64_t i, auto lane) {
    const Vec v = lane.get(x + i);
    lane.put(y + i, mul(v, standard_normal(v).cdf));
  });
}

void gelu_backward(const float* x, const float* dy, float* dx, int64_t n) {
  over(n, [&](int64_t i, auto lane) {
    const Vec v = lane.get(x + i);
    const Normal normal = standard_normal(v);
    lane.put(dx + i, mul(lane.get(dy + i), fma(v, normal.pdf, normal.cdf)));
  });
}

}  // namespace
}  // namespace distiltune::kernels
