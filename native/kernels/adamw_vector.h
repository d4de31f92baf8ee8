#pragma once
#include "inner.h"
#include "over_vector.h"

namespace distiltune::kernels {
namespace {

// Every step rounds by itself, nothing is fused: memory sets the pace, and all instruction sets agree to the
// bit.
inline void update(const AdamWScalars& scalars, Vec g, Vec& p, Vec& m, Vec& v) {
  m = add(mul(m, set(scalars.beta1)), mul(g, set(scalars.one_minus_beta1)));
  v = add(mul(v, set(scalars.beta2)), mul(mul(g, g), set(scalars.one_minus_beta2)));
  const Vec denominator = add(div(root(v), set(scalars.root_correction2)), set(scalars.epsilon));
  const Vec decayed = mul(p, set(scalars.decay));
  p = add(decayed, div(mul(set(scalars.minus_step_size), m), denominator));
  p = add(p, mul(p, set(scalars.minus_late_decay)));
}

/** body(p, m, v, i, lanes) on every vector of the three, which are then written back. */
template <typename Body>
inline void updated(float* parameter, float* moment1, float* moment2, int64_t n, const Body& body) {
  over(n, [&](int64_t i, auto lane) {
    Vec p = lane.get(parameter + i), m = lane.get(moment1 + i), v = lane.get(moment2 + i);
    body(p, m, v, i, lane);
    lane.put(parameter + i, p);
    lane.put(moment1 + i, m);
    lane.put(moment2 + i, v);
  });
}

void adamw(const AdamWScalars& scalars, float* parameter, float* moment1, float* moment2,
           const float* gradient, int64_t n) {
  updated(parameter, moment1, moment2, n, [&](Vec& p, Vec& m, Vec& v, int64_t i, auto lane) {
    update(scalars, gradient ? mul(lane.get(gradient + i), set(scalars.gradient_scale)) : zero(), p, m, v);
  });
}

void adamw_late(const AdamWScalars* scalars, int64_t count, float* parameter, float* moment1, float* moment2,
                int64_t n) {
  updated(parameter, moment1, moment2, n, [&](Vec& p, Vec& m, Vec& v, int64_t, auto) {
    for (int64_t step = 0; step < count; ++step) update(scalars[step], zero(), p, m, v);
  });
}

double sum_of_squares(const float* values, int64_t n) {
  Wide first_half = wide_zero(), second_half = wide_zero();
  over(n, [&](int64_t i, auto lane) {
    const Vec v = lane.get(values + i);
    first_half = fma(low(v), low(v), first_half);
    second_half = fma(high(v), high(v), second_half);
  });
  return sum(first_half) + sum(second_half);
}

}  // namespace
}  // namespace distiltune::kernels
