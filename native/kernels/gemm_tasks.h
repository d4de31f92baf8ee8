#pragma once
#include <algorithm>
#include <cstdint>

#include "after.h"
#include "cut.h"
#include "scratch.h"
#include "thread_pool.h"

namespace distiltune::kernels {

// How products are cut into tasks, the same for every kind of operand. Loops is the table of inner loops of
// the kind: Loops::Value is what an operand is packed to and Loops::step the number of its values, neighbours
// along the depth, that one Value holds.

// Columns of a task: a whole number of panels in every instruction set, so that only the last group is
// padded. Packed to this depth (96 KiB) they stay in the second-level cache beside the next ones, asked for
// meanwhile, and the rows that pass by.
constexpr int64_t group_columns = 64;
constexpr int64_t depth_limit = 384;
// More rows than this are cut into several tasks, so that few columns still occupy several threads.
constexpr int64_t rows_limit = 384;
constexpr int64_t tile_rows = 6;
// Gradient of a weight: columns of dy packed together, a whole number of tiles and of cache lines; columns of
// dw in a task; and tokens summed in a tile before it is added to dw, which comes from memory: with this
// many, at most 720 KiB are packed at a time.
constexpr int64_t left_columns = 96;
constexpr int64_t right_columns = 192;
constexpr int64_t tokens_limit = 640;
/** Rows of dw in a task: many, so that x is packed for many products, but a small weight still occupies
 * several threads. */
inline int64_t weight_rows(int64_t n, int64_t k) { return n * k < int64_t{1} << 18 ? 192 : 384; }

/** scratch() for an operand. */
template <typename Value>
Value* scratch_of(Scratch use, int64_t count) {
  static_assert(sizeof(Value) == sizeof(float), "scratch() counts floats");
  return reinterpret_cast<Value*>(scratch(use, static_cast<size_t>(count)));
}

/** c (m, columns) = or += a · b, then `after`; one task per group of columns and part of the rows, part by
 * part, so that its rows are still near for the next group. `depth` and p count Values. `panel(j, columns, p,
 * depth)` yields b packed from column j and p on; `ahead(j, columns, p, depth)` where that is read from
 * later.
 */
template <typename Loops, typename Panel, typename Later>
void multiply(ThreadPool& pool, const Loops& loops, const typename Loops::Value* a, int64_t a_stride,
              float* c, int64_t c_stride, int64_t m, int64_t columns, int64_t depth, bool accumulate,
              const float* bias, After after, const Panel& panel, const Later& ahead) {
  const Cut rows(m, rows_limit, tile_rows), groups(columns, group_columns, group_columns),
      depths(depth, depth_limit, 16);
  pool.run(rows.parts() * groups.parts(), [&](int64_t task) {
    const int64_t part = task / groups.parts(), group = task % groups.parts();
    const int64_t r = rows.begin(part), j = groups.begin(group);
    const int64_t later = (group + pool.threads()) % groups.parts();  // this thread's next group, as a rule
    for (int64_t block = 0; block < depths.parts(); ++block) {
      const int64_t p = depths.begin(block);
      const bool first = block == 0, last = block + 1 == depths.parts();
      const int64_t next = last ? 0 : block + 1;
      const Ahead soon = ahead(groups.begin(last ? later : group), groups.size(last ? later : group),
                               depths.begin(next), depths.size(next));
      loops.multiply(a + r * a_stride + p, a_stride, 1, panel(j, groups.size(group), p, depths.size(block)),
                     c + r * c_stride + j, c_stride, rows.size(part), groups.size(group), depths.size(block),
                     first && !accumulate ? Store::overwrite : Store::accumulate,
                     first && bias ? bias + j : nullptr, soon);
    }
    finish(inner(), after, c + r * c_stride + j, c_stride, rows.size(part), groups.size(group));
  });
}

/** For panels that are packed where they are used. */
inline Ahead nothing_ahead(int64_t, int64_t, int64_t, int64_t) { return {}; }

/** linear() of gemm.h, x as `loops` multiplies it. */
template <typename Loops>
void linear(ThreadPool& pool, const Loops& loops, const typename Loops::Value* x, int64_t x_stride,
            const float* w, const float* bias, float* y, int64_t y_stride, int64_t m, int64_t n, int64_t k) {
  constexpr int64_t step = Loops::step;
  multiply(
      pool, loops, x, x_stride, y, y_stride, m, n, ceil_div(k, step), false, bias, After::nothing,
      [&](int64_t j, int64_t columns, int64_t p, int64_t depth) {
        auto* packed = scratch_of<typename Loops::Value>(Scratch::panel, depth * group_columns);
        loops.pack_transposed(w + j * k + p * step, k, std::min(depth * step, k - p * step), columns, packed);
        return packed;
      },
      nothing_ahead);
}

/** linear_backward_input() of gemm.h, dy as `loops` multiplies it. */
template <typename Loops>
void linear_backward_input(ThreadPool& pool, const Loops& loops, const typename Loops::Value* dy,
                           int64_t dy_stride, const float* w, float* dx, int64_t dx_stride, int64_t m,
                           int64_t n, int64_t k, bool accumulate) {
  constexpr int64_t step = Loops::step;
  multiply(
      pool, loops, dy, dy_stride, dx, dx_stride, m, k, ceil_div(n, step), accumulate, nullptr, After::nothing,
      [&](int64_t j, int64_t columns, int64_t p, int64_t depth) {
        auto* packed = scratch_of<typename Loops::Value>(Scratch::panel, depth * group_columns);
        loops.pack(w + p * step * k + j, k, std::min(depth * step, n - p * step), columns, packed);
        return packed;
      },
      nothing_ahead);
}

/** linear_backward_weight() of gemm.h. */
template <typename Loops>
void linear_backward_weight(ThreadPool& pool, const Loops& loops, const float* dy, int64_t dy_stride,
                            const float* x, int64_t x_stride, float* dw, float* dbias, int64_t m, int64_t n,
                            int64_t k, bool accumulate) {
  using Value = typename Loops::Value;
  const Cut rows(n, weight_rows(n, k), left_columns), groups(k, right_columns, group_columns),
      tokens(m, tokens_limit, Loops::step);
  if (dbias && !accumulate) std::fill_n(dbias, n, 0.0f);
  pool.run(rows.parts() * groups.parts(), [&](int64_t task) {
    const int64_t part = task / groups.parts(), group = task % groups.parts();
    const int64_t j = groups.begin(group), columns = groups.size(group);
    for (int64_t block = 0; block < tokens.parts(); ++block) {
      const int64_t t = tokens.begin(block), depth = ceil_div(tokens.size(block), Loops::step);
      auto* right = scratch_of<Value>(Scratch::panel, depth * groups.part);
      loops.pack(x + t * x_stride + j, x_stride, tokens.size(block), columns, right);
      auto* left = scratch_of<Value>(Scratch::left, depth * left_columns);
      const int64_t end = rows.begin(part) + rows.size(part);
      for (int64_t i = rows.begin(part); i < end; i += left_columns) {
        const int64_t width = std::min(left_columns, end - i);
        loops.pack_left(dy + t * dy_stride + i, dy_stride, tokens.size(block), width, left,
                        dbias && group == 0 ? dbias + i : nullptr);
        loops.multiply_packed(left, right, dw + i * k + j, k, width, columns, depth,
                              accumulate || block > 0 ? Store::accumulate : Store::overwrite);
      }
    }
  });
}

}  // namespace distiltune::kernels
