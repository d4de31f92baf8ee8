#pragma once
#include <cstdint>

#include "inner.h"

namespace distiltune::kernels {

/** What follows a product before it is stored: nothing, or the activation.h function of that name. */
enum class After { nothing, gelu, relu };

/** y (rows, columns) = after(y), while it is still in the cache. */
inline void finish(const Inner& loops, After after, float* y, int64_t y_stride, int64_t rows,
                   int64_t columns) {
  if (after == After::nothing) return;
  const auto function = after == After::gelu ? loops.gelu : loops.relu;
  for (int64_t row = 0; row < rows; ++row) function(y + row * y_stride, y + row * y_stride, columns);
}

}  // namespace distiltune::kernels
