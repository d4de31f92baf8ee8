#pragma once

namespace distiltune::kernels {
namespace {

/** e^x within two units in the last place for x up to 88; 1e-38 or less below -87. Cephes' expf: 2^n e^r, |r|
 * <= ln(2) / 2. */
inline Vec exponential(Vec x) {
  x = larger(set(-87.3f), x);
  const Vec n = round(mul(x, set(1.44269504088896341f)));
  const Vec r = fnma(n, set(-2.12194440e-4f), fnma(n, set(0.693359375f), x));  // ln 2 in two parts
  Vec p = set(1.9875691500e-4f);
  p = fma(p, r, set(1.3981999507e-3f));
  p = fma(p, r, set(8.3334519073e-3f));
  p = fma(p, r, set(4.1665795894e-2f));
  p = fma(p, r, set(1.6666665459e-1f));
  p = fma(p, r, set(5.0000001201e-1f));
  return scale(add(fma(p, mul(r, r), r), set(1)), n);
}

}  // namespace
}  // namespace distiltune::kernels
