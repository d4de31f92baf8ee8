#pragma once
#include "inner.h"
#include "over_vector.h"

namespace distiltune::kernels {
namespace {

// Every step rounds by itself, nothing is fused: memory sets the pace, and all instruction sets agree to the
// bit.
void adamw(const AdamWScalars& scalars, float* parameter, float* moment1, float* moment2,
           const float* gradient, int64_t n) {
  over(n, [&](int64_t i, auto lane) {
    const Vec g = gradient ? mul(lane.get(gradient + i), set(scalars.gradient_scale)) : zero();
    const Vec m = add(mul(lane.get(moment1 + i), set(scalars.beta1)), mul(g, set(scalars.one_minus_beta1)));
    const Vec v =
        add(mul(lane.get(moment2 + i), set(scalars.beta2)), mul(mul(g, g), set(scalars.one_minus_beta2)));
    const Vec denominator = add(div(root(v), set(scalars.root_correction2)), set(scalars.epsilon));
    const Vec decayed = mul(lane.get(parameter + i), set(scalars.decay));
    const Vec p = add(decayed, div(mul(set(scalars.minus_step_size), m), denominator));
    lane.put(parameter + i, add(p, mul(p, set(scalars.minus_late_decay))));
    lane.put(moment1 + i, m);
    lane.put(moment2 + i, v);
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
