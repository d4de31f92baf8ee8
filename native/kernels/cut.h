#pragma once
#include <algorithm>
#include <cstdint>

namespace distiltune::kernels {

inline int64_t up(int64_t value, int64_t multiple) { return (value + multiple - 1) / multiple * multiple; }
inline int64_t ceil_div(int64_t value, int64_t divisor) { return (value + divisor - 1) / divisor; }

/** Cuts `total` into equal parts of at most `limit`, each a multiple of `multiple` but the last. */
struct Cut {
  Cut(int64_t total, int64_t limit, int64_t multiple) : total(total), part(multiple) {
    if (total > 0) part = up(ceil_div(total, ceil_div(total, limit)), multiple);
  }
  int64_t parts() const { return ceil_div(total, part); }
  int64_t begin(int64_t index) const { return index * part; }
  int64_t size(int64_t index) const { return std::min(part, total - begin(index)); }
  /** The part that a thread does after this one, as a rule, where `threads` take them in turn. */
  int64_t later(int64_t index, int64_t threads) const { return (index + threads) % parts(); }

  int64_t total, part;
};

}  // namespace distiltune::kernels
