#pragma once
#include "inner.h"
#include "over_vector.h"
#include "quantised_range.h"

namespace distiltune::kernels {
namespace {

void quantise(const float* x, int64_t n, int64_t padded, uint8_t* q, float* scale_out, int32_t* zero_out) {
  Vec low = zero(), high = zero(), difference = zero();
  over(n, [&](int64_t i, auto lane) {
    const Vec v = lane.get(x + i);
    low = smaller(v, low);
    high = larger(v, high);
    difference = add(difference, sub(v, v));
  });
  const QuantisedRange range = quantised_range(-largest(sub(zero(), low)), largest(high), sum(difference));
  const Vec factor = set(range.inverse), offset = set(static_cast<float>(range.zero)),
            top = set(quantised_most);
  const auto quantised = [&](Vec v) {
    return larger(smaller(add(round(mul(v, factor)), offset), top), zero());
  };
  const int64_t whole = n / width * width;
  for (int64_t i = 0; i < whole; i += width) store_bytes(q + i, quantised(load(x + i)));
  for (int64_t i = whole; i < padded; i += width)
    store_bytes(q + i, quantised(i < n ? load(x + i, first(n - i)) : zero()));
  *scale_out = range.scale;
  *zero_out = range.zero;
}

}  // namespace
}  // namespace distiltune::kernels
