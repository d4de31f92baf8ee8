#include "gemm.h"

#include <algorithm>

#include "gemm_tasks.h"
#include "inner.h"

namespace distiltune::kernels {

void linear(ThreadPool& pool, const float* x, int64_t x_stride, const float* w, const float* bias, float* y,
            int64_t y_stride, int64_t m, int64_t n, int64_t k) {
  linear(pool, inner(), x, x_stride, w, bias, y, y_stride, m, n, k);
}

void linear_backward_input(ThreadPool& pool, const float* dy, int64_t dy_stride, const float* w, float* dx,
                           int64_t dx_stride, int64_t m, int64_t n, int64_t k, bool accumulate) {
  linear_backward_input(pool, inner(), dy, dy_stride, w, dx, dx_stride, m, n, k, accumulate);
}

void linear_backward_weight(ThreadPool& pool, const float* dy, int64_t dy_stride, const float* x,
                            int64_t x_stride, float* dw, float* dbias, int64_t m, int64_t n, int64_t k,
                            bool accumulate) {
  linear_backward_weight(pool, inner(), dy, dy_stride, x, x_stride, dw, dbias, m, n, k, accumulate);
}

namespace {

/** Floats before the bias. */
int64_t panel_floats(int64_t outputs, int64_t inputs) { return up(up(outputs, inner().width) * inputs, 16); }

/** Where the panels of columns from j on, products from p on lie among the floats. */
int64_t panel_place(int64_t j, int64_t columns, int64_t p, int64_t inputs) {
  return j * inputs + p * up(columns, inner().width);
}

/** Panels as PackedLinear::pack() left them. */
struct PackedBefore {
  const float* panel(int64_t j, int64_t columns, int64_t p, int64_t) const {
    return packed + panel_place(j, columns, p, inputs);
  }
  Ahead ahead(int64_t j, int64_t columns, int64_t p, int64_t depth) const {
    return {panel(j, columns, p, depth), depth * columns * static_cast<int64_t>(sizeof(float))};
  }
  int64_t rows_limit(int64_t, int64_t) const { return kernels::rows_limit; }

  const float* packed;
  int64_t inputs;
};

}  // namespace

size_t PackedLinear::bytes(int64_t outputs, int64_t inputs) {
  return static_cast<size_t>(panel_floats(outputs, inputs) + outputs) * sizeof(float);
}

void PackedLinear::pack(const float* w, const float* bias, int64_t outputs, int64_t inputs, void* to) {
  const Cut groups(outputs, group_columns, group_columns), depths(inputs, depth_limit, 16);
  auto* packed = static_cast<float*>(to);
  for (int64_t group = 0; group < groups.parts(); ++group) {
    for (int64_t block = 0; block < depths.parts(); ++block) {
      const int64_t j = groups.begin(group), columns = groups.size(group), p = depths.begin(block);
      inner().pack_transposed(w + j * inputs + p, inputs, depths.size(block), columns,
                              packed + panel_place(j, columns, p, inputs));
    }
  }
  std::copy_n(bias, outputs, packed + panel_floats(outputs, inputs));
}

PackedLinear::PackedLinear(const void* packed, int64_t outputs, int64_t inputs)
    : packed_(static_cast<const float*>(packed)), outputs_(outputs), inputs_(inputs) {}

void PackedLinear::apply(ThreadPool& pool, const float* x, int64_t x_stride, float* y, int64_t y_stride,
                         int64_t m, After after) const {
  multiply(pool, inner(), x, x_stride, y, y_stride, m, outputs_, inputs_, false,
           packed_ + panel_floats(outputs_, inputs_), after, PackedBefore{packed_, inputs_});
}

}  // namespace distiltune::kernels
