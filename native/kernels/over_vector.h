#pragma once

namespace distiltune::kernels {
namespace {

/** A whole vector of elements. */
struct WholeLanes {
  Vec get(const float* from) const { return load(from); }
  void put(float* to, Vec v) const { store(to, v); }
  Vec only(Vec v) const { return v; }
};
/** The last elements, fewer than a vector: others are read as zero and not written. */
struct RestLanes {
  Mask mask;
  Vec get(const float* from) const { return load(from, mask); }
  void put(float* to, Vec v) const { store(to, v, mask); }
  Vec only(Vec v) const { return select(mask, v, zero()); }
};

/** body(i, lanes) for elements 0 to n, a vector at a time. */
template <typename Body>
inline void over(int64_t n, const Body& body) {
  int64_t i = 0;
  for (; i + width <= n; i += width) body(i, WholeLanes{});
  if (i < n) body(i, RestLanes{first(n - i)});
}

}  // namespace
}  // namespace distiltune::kernels
