#pragma once
#include "inner.h"
#include "over_vector.h"
#include "philox_vector.h"

namespace distiltune::kernels {
namespace {

void layer_norm(const float* x, const DropoutDraws& draws, const float* residual, const float* gamma,
                const float* beta, float* sum_out, float* y, int64_t dim, float eps, float* mean_out,
                float* rstd_out) {
  const auto size = static_cast<float>(dim);
  Vec total = zero();
  over(dim, [&](int64_t i, auto lane) {
    Vec s = dropped(lane.get(x + i), draws, i);
    if (residual) s = add(s, lane.get(residual + i));
    total = add(total, s);
    lane.put(sum_out + i, s);
  });
  const float mean = sum(total) / size;

  const Vec center = set(mean);
  Vec squares = zero();
  over(dim, [&](int64_t i, auto lane) {
    const Vec d = lane.only(sub(lane.get(sum_out + i), center));
    squares = fma(d, d, squares);
  });
  const Vec inverse = div(set(1), root(set(sum(squares) / size + eps)));

  over(dim, [&](int64_t i, auto lane) {
    const Vec normalised = mul(sub(lane.get(sum_out + i), center), inverse);
    lane.put(y + i, fma(normalised, lane.get(gamma + i), lane.get(beta + i)));
  });
  *mean_out = mean;
  *rstd_out = first_lane(inverse);
}

void layer_norm_backward(const float* dy, const float* sum_in, float mean, float rstd, const float* gamma,
                         float* dsum, float* dgamma, float* dbeta, int64_t dim) {
  const Vec center = set(mean), inverse = set(rstd);
  Vec total = zero(), projection = zero();
  over(dim, [&](int64_t i, auto lane) {  // past the end dy reads as zero, so those lanes add nothing
    const Vec gradient = lane.get(dy + i), normalised = mul(sub(lane.get(sum_in + i), center), inverse);
    lane.put(dgamma + i, fma(gradient, normalised, lane.get(dgamma + i)));
    lane.put(dbeta + i, add(lane.get(dbeta + i), gradient));
    const Vec scaled = mul(gradient, lane.get(gamma + i));
    total = add(total, scaled);
    projection = fma(scaled, normalised, projection);
  });

  const auto size = static_cast<float>(dim);
  const Vec shift = set(sum(total) / size), slope = set(sum(projection) / size);
  over(dim, [&](int64_t i, auto lane) {
    const Vec scaled = mul(lane.get(dy + i), lane.get(gamma + i));
    const Vec normalised = mul(sub(lane.get(sum_in + i), center), inverse);
    lane.put(dsum + i, mul(inverse, fnma(normalised, slope, sub(scaled, shift))));
  });
}

}  // namespace
}  // namespace distiltune::kernels
