#include "gemm.h"

#include <algorithm>

#include "cut.h"
#include "inner.h"
#include "scratch.h"

namespace distiltune::kernels {
namespace {

// Columns of a task: a whole number of panels in every instruction set, so that only the last group is
// padded. Packed to this depth (196 KiB) they stay in the second-level cache beside the rows that pass by.
constexpr int64_t group_columns = 64;
constexpr int64_t depth_limit = 768;
// More rows than this are cut into several tasks, so that few columns still occupy several threads.
constexpr int64_t rows_limit = 384;
constexpr int64_t tile_rows = 6;
// Gradient of a weight: columns of dy packed together, a whole number of tiles and of cache lines; columns of
// dw in a task; and tokens summed in a tile before it is added to dw, which comes from memory: with this
// many, 720 KiB are packed at a time.
constexpr int64_t left_columns = 96;
constexpr int64_t right_columns = 192;
constexpr int64_t tokens_limit = 640;
/** Rows of dw in a task: many, so that x is packed for many products, but a small weight still occupies
 * several threads. */
int64_t weight_rows(int64_t n, int64_t k) { return n * k < int64_t{1} << 18 ? 192 : 384; }

/** c (m, columns) = or += a · b, one task per group of columns and part of the rows. `panel(j, columns, p,
 * depth)` yields b packed from column j and row p on. */
template <typename Panel>
void multiply(ThreadPool& pool, const Inner& loops, const float* a, int64_t a_stride, float* c,
              int64_t c_stride, int64_t m, int64_t columns, int64_t depth, bool accumulate, const float* bias,
              After after, const Panel& panel) {
  const Cut rows(m, rows_limit, tile_rows), groups(columns, group_columns, group_columns),
      depths(depth, depth_limit, 16);
  pool.run(rows.parts() * groups.parts(), [&](int64_t task) {
    const int64_t group = task / rows.parts(), part = task % rows.parts();
    const int64_t r = rows.begin(part), j = groups.begin(group);
    for (int64_t block = 0; block < depths.parts(); ++block) {
      const int64_t p = depths.begin(block);
      const bool first = block == 0;
      loops.multiply(a + r * a_stride + p, a_stride, 1, panel(j, groups.size(group), p, depths.size(block)),
                     c + r * c_stride + j, c_stride, rows.size(part), groups.size(group), depths.size(block),
                     first && !accumulate ? Store::overwrite : Store::accumulate,
                     first && bias ? bias + j : nullptr);
    }
    finish(loops, after, c + r * c_stride + j, c_stride, rows.size(part), groups.size(group));
  });
}

}  // namespace

void linear(ThreadPool& pool, const float* x, int64_t x_stride, const float* w, const float* bias, float* y,
            int64_t y_stride, int64_t m, int64_t n, int64_t k) {
  const Inner& loops = inner();
  multiply(pool, loops, x, x_stride, y, y_stride, m, n, k, false, bias, After::nothing,
           [&](int64_t j, int64_t columns, int64_t p, int64_t depth) {
             float* packed = scratch(Scratch::panel, depth * group_columns);
             loops.pack_transposed(w + j * k + p, k, depth, columns, packed);
             return packed;
           });
}

void linear_backward_input(ThreadPool& pool, const float* dy, int64_t dy_stride, const float* w, float* dx,
                           int64_t dx_stride, int64_t m, int64_t n, int64_t k, bool accumulate) {
  const Inner& loops = inner();
  multiply(pool, loops, dy, dy_stride, dx, dx_stride, m, k, n, accumulate, nullptr, After::nothing,
           [&](int64_t j, int64_t columns, int64_t p, int64_t depth) {
             float* packed = scratch(Scratch::panel, depth * group_columns);
             loops.pack(w + p * k + j, k, depth, columns, packed);
             return packed;
           });
}

void linear_backward_weight(ThreadPool& pool, const float* dy, int64_t dy_stride, const float* x,
                            int64_t x_stride, float* dw, float* dbias, int64_t m, int64_t n, int64_t k,
                            bool accumulate) {
  const Inner& loops = inner();
  const Cut rows(n, weight_rows(n, k), left_columns), groups(k, right_columns, group_columns),
      depths(m, tokens_limit, 1);
  if (dbias && !accumulate) std::fill_n(dbias, n, 0.0f);
  pool.run(rows.parts() * groups.parts(), [&](int64_t task) {
    const int64_t part = task / groups.parts(), group = task % groups.parts();
    const int64_t j = groups.begin(group), columns = groups.size(group);
    for (int64_t block = 0; block < depths.parts(); ++block) {
      const int64_t p = depths.begin(block), depth = depths.size(block);
      float* right = scratch(Scratch::panel, depth * groups.part);
      loops.pack(x + p * x_stride + j, x_stride, depth, columns, right);
      float* left = scratch(Scratch::left, depth * left_columns);
      const int64_t end = rows.begin(part) + rows.size(part);
      for (int64_t i = rows.begin(part); i < end; i += left_columns) {
        const int64_t width = std::min(left_columns, end - i);
        loops.pack_left(dy + p * dy_stride + i, dy_stride, depth, width, left,
                        dbias && group == 0 ? dbias + i : nullptr);
        loops.multiply_packed(left, right, dw + i * k + j, k, width, columns, depth,
                              accumulate || block > 0 ? Store::accumulate : Store::overwrite);
      }
    }
  });
}

namespace {

/** Floats before the bias. */
int64_t panel_floats(int64_t outputs, int64_t inputs) { return up(up(outputs, inner().width) * inputs, 16); }

/** Where the panels of columns from j on, products from p on lie among the floats. */
int64_t panel_place(int64_t j, int64_t columns, int64_t p, int64_t inputs) {
  return j * inputs + p * up(columns, inner().width);
}

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
           packed_ + panel_floats(outputs_, inputs_), after,
           [&](int64_t j, int64_t columns, int64_t p, int64_t) {
             return packed_ + panel_place(j, columns, p, inputs_);
           });
}

}  // namespace distiltune::kernels
