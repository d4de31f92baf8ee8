#pragma once
#include <algorithm>
#include <cstdint>

#include "after.h"
#include "cut.h"
#include "scratch.h"
#include "strips.h"
#include "thread_pool.h"

namespace distiltune::kernels {

// How products are cut into tasks, the same for every kind of operand. Loops is the table of inner loops of
// the kind: Loops::Value is what an operand is packed to and Loops::step the number of its values, neighbours
// along the depth, that one Value holds.

// Columns of a task: a whole number of panels in every instruction set, so that only the last group is
// padded. Packed to this depth (196 KiB) they stay in the second-level cache beside the rows that pass by.
// Packed layers in the cache lie so: with these two goes up packed_version (model/packed.cpp).
constexpr int64_t group_columns = 64;
constexpr int64_t depth_limit = 768;
// Rows of a task. What is packed for a task serves all its rows, so few tasks are best, but at least some for
// every thread. What was packed before is read from memory anyway: rows that stay near are best.
constexpr int64_t rows_limit = 384;
constexpr int64_t rows_limit_packing = 768;
constexpr int64_t groups_a_thread = 4;
// Gradient of a weight: rows and columns of dw in a task, whole numbers of tiles, panels and cache lines; and
// tokens summed in a tile before it is added to dw, which comes from memory: with this many, the rows of a
// task (240 KiB) stay in the second-level cache while the columns pass by.
constexpr int64_t left_columns = 96;
constexpr int64_t right_columns = 192;
constexpr int64_t tokens_limit = 640;
// Of the next task's columns, the inner loops asking for the rest themselves: the narrowest panel there is.
constexpr int64_t columns_ahead = 16;

/** c (m, columns) = or += a · b, then `after`; one task per group of columns and part of the rows, part by
 * part, so that its rows are still near for the next group. How rows are cut changes no bit of them. `depth`
 * and p count Values. Panels knows b: panel(j, columns, p, depth) is b packed from column j and p on,
 * ahead(j, columns, p, depth) where that will be read from, rows_limit(threads, groups) the rows of a task.
 */
template <typename Loops, typename Panels>
void multiply(ThreadPool& pool, const Loops& loops, const typename Loops::Value* a, int64_t a_stride,
              float* c, int64_t c_stride, int64_t m, int64_t columns, int64_t depth, bool accumulate,
              const float* bias, After after, const Panels& panels) {
  const Cut groups(columns, group_columns, group_columns), depths(depth, depth_limit, 16),
      rows(m, panels.rows_limit(pool.threads(), groups.parts()), tile_rows);
  pool.run(rows.parts() * groups.parts(), [&](int64_t task) {
    const int64_t part = task / groups.parts(), group = task % groups.parts();
    const int64_t r = rows.begin(part), j = groups.begin(group);
    const int64_t later = groups.later(group, pool.threads());
    for (int64_t block = 0; block < depths.parts(); ++block) {
      const int64_t p = depths.begin(block);
      const bool first = block == 0, last = block + 1 == depths.parts();
      const int64_t next_block = last ? 0 : block + 1, next_group = last ? later : group;
      loops.multiply(
          a + r * a_stride + p, a_stride, panels.panel(j, groups.size(group), p, depths.size(block)),
          c + r * c_stride + j, c_stride, rows.size(part), groups.size(group), depths.size(block),
          first && !accumulate ? Store::overwrite : Store::accumulate, first && bias ? bias + j : nullptr,
          panels.ahead(groups.begin(next_group), groups.size(next_group), depths.begin(next_block),
                       depths.size(next_block)));
    }
    finish(inner(), after, c + r * c_stride + j, c_stride, rows.size(part), groups.size(group));
  });
}

inline int64_t row_bytes(int64_t floats) { return floats * static_cast<int64_t>(sizeof(float)); }

/** Panels that each task packs for itself by `pack(j, columns, p, depth, packed)`, from what
 * `source(j, columns, p, depth)` names. */
template <typename Loops, typename Pack, typename Source>
class PackedOnUse {
 public:
  PackedOnUse(const Pack& pack, const Source& source) : pack_(pack), source_(source) {}
  typename Loops::Value* panel(int64_t j, int64_t columns, int64_t p, int64_t depth) const {
    auto* packed = scratch_of<typename Loops::Value>(Scratch::panel, depth * group_columns);
    pack_(j, columns, p, depth, packed);
    return packed;
  }
  Ahead ahead(int64_t j, int64_t columns, int64_t p, int64_t depth) const {
    return source_(j, columns, p, depth);
  }
  int64_t rows_limit(int64_t threads, int64_t groups) const {
    return groups < groups_a_thread * threads ? kernels::rows_limit : rows_limit_packing;
  }

 private:
  const Pack& pack_;
  const Source& source_;
};

template <typename Loops, typename Pack, typename Source>
PackedOnUse<Loops, Pack, Source> packed_on_use(const Loops&, const Pack& pack, const Source& source) {
  return PackedOnUse<Loops, Pack, Source>(pack, source);
}

/** linear() of gemm.h, x as `loops` multiplies it. */
template <typename Loops>
void linear(ThreadPool& pool, const Loops& loops, const typename Loops::Value* x, int64_t x_stride,
            const float* w, const float* bias, float* y, int64_t y_stride, int64_t m, int64_t n, int64_t k) {
  constexpr int64_t step = Loops::step;
  const auto pack = [&](int64_t j, int64_t columns, int64_t p, int64_t depth, typename Loops::Value* packed) {
    loops.pack_transposed(w + j * k + p * step, k, std::min(depth * step, k - p * step), columns, packed);
  };
  const auto source = [&](int64_t j, int64_t columns, int64_t p, int64_t depth) -> Ahead {
    return {w + j * k + p * step, row_bytes(std::min(depth * step, k - p * step)), columns, row_bytes(k)};
  };
  multiply(pool, loops, x, x_stride, y, y_stride, m, n, ceil_div(k, step), false, bias, After::nothing,
           packed_on_use(loops, pack, source));
}

/** linear_backward_input() of gemm.h, dy as `loops` multiplies it. */
template <typename Loops>
void linear_backward_input(ThreadPool& pool, const Loops& loops, const typename Loops::Value* dy,
                           int64_t dy_stride, const float* w, float* dx, int64_t dx_stride, int64_t m,
                           int64_t n, int64_t k, bool accumulate) {
  constexpr int64_t step = Loops::step;
  const auto pack = [&](int64_t j, int64_t columns, int64_t p, int64_t depth, typename Loops::Value* packed) {
    loops.pack(w + p * step * k + j, k, std::min(depth * step, n - p * step), columns, packed);
  };
  const auto source = [&](int64_t j, int64_t columns, int64_t p, int64_t depth) -> Ahead {
    return {w + p * step * k + j, row_bytes(columns), std::min(depth * step, n - p * step), row_bytes(k)};
  };
  multiply(pool, loops, dy, dy_stride, dx, dx_stride, m, k, ceil_div(n, step), accumulate, nullptr,
           After::nothing, packed_on_use(loops, pack, source));
}

/** linear_backward_weight() of gemm.h. Both operands are packed once, by all threads, into memory of the one
 * that calls. */
template <typename Loops>
void linear_backward_weight(ThreadPool& pool, const Loops& loops, const float* dy, int64_t dy_stride,
                            const float* x, int64_t x_stride, float* dw, float* dbias, int64_t m, int64_t n,
                            int64_t k, bool accumulate) {
  using Value = typename Loops::Value;
  const Cut rows(n, left_columns, left_columns), groups(k, right_columns, group_columns),
      tokens(m, tokens_limit, Loops::step);
  if (dbias && !accumulate) std::fill_n(dbias, n, 0.0f);
  for (int64_t block = 0; block < tokens.parts(); ++block) {
    const int64_t t = tokens.begin(block), size = tokens.size(block), depth = ceil_div(size, Loops::step);
    const Store store = accumulate || block > 0 ? Store::accumulate
                        : tokens.parts() == 1   ? Store::stream
                                                : Store::overwrite;
    auto* left = scratch_of<Value>(Scratch::left, depth * up(n, left_columns));
    auto* right = scratch_of<Value>(Scratch::right, depth * up(k, group_columns));
    pool.run(rows.parts() + groups.parts(), [&](int64_t task) {
      if (task < rows.parts()) {
        const int64_t i = rows.begin(task);
        loops.pack_left(dy + t * dy_stride + i, dy_stride, size, rows.size(task), left + i * depth,
                        dbias ? dbias + i : nullptr);
      } else {
        const int64_t j = groups.begin(task - rows.parts());
        loops.pack(x + t * x_stride + j, x_stride, size, groups.size(task - rows.parts()), right + j * depth);
      }
    });
    pool.run(rows.parts() * groups.parts(), [&](int64_t task) {
      const int64_t part = task / groups.parts(), group = task % groups.parts();
      const int64_t i = rows.begin(part), j = groups.begin(group);
      const Value* later = right + groups.begin(groups.later(group, pool.threads())) * depth;
      loops.multiply_packed(left + i * depth, right + j * depth, dw + i * k + j, k, rows.size(part),
                            groups.size(group), depth, store,
                            {later, depth * columns_ahead * static_cast<int64_t>(sizeof(Value))});
    });
  }
}

}  // namespace distiltune::kernels
