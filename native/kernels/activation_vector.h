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

// For z >= 0 the upper tail is e^(-z^2 / 2) times a smooth function of s = 0.27 z / (1 + 0.27 z). The
// coefficients are its minimax polynomial (Remez, 40 digits) over z from 0 to 14, relative error 2.4e-8;
// written in s and not in 1 - s, since the rounding of s is small where z is. Density and tail share the
// exponential.
inline Normal standard_normal(Vec x) {
  const Vec z = magnitude(x), scaled = mul(z, set(0.27f));
  const Vec s = div(scaled, add(scaled, set(1)));
  Vec q = set(-0.02891517518f);
  q = fma(q, s, set(0.133981763f));
  q = fma(q, s, set(-0.2001983454f));
  q = fma(q, s, set(0.01015367509f));
  q = fma(q, s, set(0.1761776525f));
  q = fma(q, s, set(0.3105778481f));
  q = fma(q, s, set(-1.376082467f));
  q = fma(q, s, set(1.951871368f));
  q = fma(q, s, set(-1.477566331f));
  q = fma(q, s, set(0.5f));
  const Vec e = exponential(mul(mul(z, z), set(-0.5f)));
  const Vec tail = mul(q, e);
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

void relu(const float* x, float* y, int64_t n) {
  over(n, [&](int64_t i, auto lane) { lane.put(y + i, larger(zero(), lane.get(x + i))); });
}

}  // namespace
}  // namespace distiltune::kernels
