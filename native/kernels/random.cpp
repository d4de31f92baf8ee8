#include "random.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

namespace distiltune::kernels {
namespace {

constexpr int size = 624, shift = 397;
constexpr int64_t chunk = 16;  // values that torch's normal_ makes at once
constexpr double two_pi = 6.283185307179586476925286766559;

/** 53 random bits in [0, 1): torch's uniform_real_distribution<double>. The first draw is the high half. */
double uniform53(Generator& generator) {
  const uint64_t high = generator.next(), low = generator.next();
  return static_cast<double>((high << 32 | low) & ((uint64_t{1} << 53) - 1)) * 0x1p-53;
}

float uniform24(Generator& generator) { return static_cast<float>(generator.next() & 0xffffff) * 0x1p-24f; }

/** Box-Muller over 16 uniforms in place: cosines in the first half, sines in the second. */
void normal16(float std, float* values) {
  for (int i = 0; i < 8; ++i) {
    const double radius = std::sqrt(-2 * std::log(1 - static_cast<double>(values[i])));
    const double angle = two_pi * static_cast<double>(values[i + 8]);
    values[i] = static_cast<float>(radius * std::cos(angle) * std);
    values[i + 8] = static_cast<float>(radius * std::sin(angle) * std);
  }
}

}  // namespace

Generator::Generator(uint64_t seed) : index_(size) {
  state_[0] = static_cast<uint32_t>(seed);
  for (uint32_t i = 1; i < size; ++i) state_[i] = 1812433253u * (state_[i - 1] ^ state_[i - 1] >> 30) + i;
}

void Generator::refill() {
  const auto mix = [&](int i, int next, int far) {
    const uint32_t y = (state_[i] & 0x80000000u) | (state_[next] & 0x7fffffffu);
    state_[i] = state_[far] ^ y >> 1 ^ (y & 1 ? 0x9908b0dfu : 0);
  };
  // In pieces, so that no place has to be wrapped around and the compiler may use vectors.
  for (int i = 0; i < size - shift; ++i) mix(i, i + 1, i + shift);
  for (int i = size - shift; i < size - 1; ++i) mix(i, i + 1, i + shift - size);
  mix(size - 1, 0, shift - 1);
  index_ = 0;
}

void Generator::discard(int64_t count) {
  while (count > 0) {
    if (index_ == size) refill();
    const int64_t passed = std::min<int64_t>(count, size - index_);
    index_ += static_cast<int>(passed);
    count -= passed;
  }
}

uint32_t Generator::next() {
  if (index_ == size) refill();
  uint32_t y = state_[index_++];
  y ^= y >> 11;
  y ^= y << 7 & 0x9d2c5680u;
  y ^= y << 15 & 0xefc60000u;
  return y ^ y >> 18;
}

int64_t int64(Generator& generator) {
  const uint64_t high = generator.next(), low = generator.next();
  return static_cast<int64_t>((high << 32 | low) & (~uint64_t{0} >> 1));
}

void permutation(Generator& generator, int32_t* out, int64_t n) {
  std::iota(out, out + n, 0);
  for (int64_t i = 0; i < n - 1; ++i) std::swap(out[i], out[i + generator.next() % (n - i)]);
}

void normal(Generator& generator, float std, float* out, int64_t n) {
  if (n < chunk) {
    for (int64_t i = 0; i < n; ++i) {
      double value = generator.spare_normal_;
      if (!generator.has_spare_normal_) {
        const double u1 = uniform53(generator), u2 = uniform53(generator);
        const double radius = std::sqrt(-2 * std::log1p(-u2));
        value = radius * std::cos(two_pi * u1);
        generator.spare_normal_ = radius * std::sin(two_pi * u1);
      }
      generator.has_spare_normal_ = !generator.has_spare_normal_;
      out[i] = static_cast<float>(value * std);
    }
    return;
  }
  for (int64_t i = 0; i < n; ++i) out[i] = uniform24(generator);
  for (int64_t i = 0; i + chunk <= n; i += chunk) normal16(std, out + i);
  if (n % chunk != 0) {
    for (int64_t i = n - chunk; i < n; ++i) out[i] = uniform24(generator);
    normal16(std, out + n - chunk);
  }
}

void discard_normal(Generator& generator, int64_t n) {
  if (n < chunk) {
    float values[chunk];  // drawn, for how many draws they take hangs on what came before
    normal(generator, 1, values, n);
  } else {
    generator.discard(n % chunk == 0 ? n : n + chunk);
  }
}

}  // namespace distiltune::kernels
