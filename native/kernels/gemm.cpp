#include "gemm.h"

#include <algorithm>
#include <new>
#include <vector>

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

int64_t up(int64_t value, int64_t multiple) { return (value + multiple - 1) / multiple * multiple; }
int64_t ceil_div(int64_t value, int64_t divisor) { return (value + divisor - 1) / divisor; }

/** Cuts `total` into equal parts of at most `limit`, each a multiple of `multiple` but the last. */
struct Cut {
  Cut(int64_t total, int64_t limit, int64_t multiple) : total(total), part(multiple) {
    if (total > 0) part = up(ceil_div(total, ceil_div(total, limit)), multiple);
  }
  int64_t parts() const { return ceil_div(total, part); }
  int64_t begin(int64_t index) const { return index * part; }
  int64_t size(int64_t index) const { return std::min(part, total - begin(index)); }

  int64_t total, part;
};

/** c (m, columns) = or += a · b, one task per group of columns and part of the rows. `panel(j, columns, p,
 * depth)` yields b packed from column j and row p on. */
template <typename Panel>
void multiply(ThreadPool& pool, const Inner& loops, const float* a, int64_t a_stride, float* c,
              int64_t c_stride, int64_t m, int64_t columns, int64_t depth, bool accumulate, const float* bias,
              const Panel& panel) {
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
  });
}

}  // namespace

void linear(ThreadPool& pool, const float* x, int64_t x_stride, const float* w, const float* bias, float* y,
            int64_t y_stride, int64_t m, int64_t n, int64_t k) {
  const Inner& loops = inner();
  multiply(pool, loops, x, x_stride, y, y_stride, m, n, k, false, bias,
           [&](int64_t j, int64_t columns, int64_t p, int64_t depth) {
             float* packed = scratch(Scratch::panel, depth * group_columns);
             loops.pack_transposed(w + j * k + p, k, depth, columns, packed);
             return packed;
           });
}

void linear_backward_input(ThreadPool& pool, const float* dy, int64_t dy_stride, const float* w, float* dx,
                           int64_t dx_stride, int64_t m, int64_t n, int64_t k, bool accumulate) {
  const Inner& loops = inner();
  multiply(pool, loops, dy, dy_stride, dx, dx_stride, m, k, n, accumulate, nullptr,
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

struct PackedLinear::Panels {
  Panels(const Inner& loops, int64_t n, int64_t k)
      : loops(loops), n(n), k(k), packed(new (alignment) float[up(n, loops.width) * k]) {}
  ~Panels() { ::operator delete[](packed, alignment); }
  Panels(const Panels&) = delete;
  Panels& operator=(const Panels&) = delete;

  float* at(int64_t j, int64_t columns, int64_t p) const {
    return packed + j * k + p * up(columns, loops.width);
  }

  static constexpr std::align_val_t alignment{64};  // a vector never straddles two cache lines
  const Inner& loops;
  int64_t n, k;
  std::vector<float> bias;
  float* packed;
};

PackedLinear::PackedLinear(const float* w, const float* bias, int64_t n, int64_t k)
    : panels_(new Panels(inner(), n, k)) {
  Panels& panels = *panels_;
  if (bias) panels.bias.assign(bias, bias + n);
  const Cut groups(n, group_columns, group_columns), depths(k, depth_limit, 16);
  for (int64_t group = 0; group < groups.parts(); ++group) {
    for (int64_t block = 0; block < depths.parts(); ++block) {
      const int64_t j = groups.begin(group), columns = groups.size(group), p = depths.begin(block);
      panels.loops.pack_transposed(w + j * k + p, k, depths.size(block), columns, panels.at(j, columns, p));
    }
  }
}
PackedLinear::~PackedLinear() = default;
PackedLinear::PackedLinear(PackedLinear&&) noexcept = default;
PackedLinear& PackedLinear::operator=(PackedLinear&&) noexcept = default;

int64_t PackedLinear::outputs() const { return panels_->n; }
int64_t PackedLinear::inputs() const { return panels_->k; }

void PackedLinear::apply(ThreadPool& pool, const float* x, int64_t x_stride, float* y, int64_t y_stride,
                         int64_t m) const {
  const Panels& panels = *panels_;
  const float* bias = panels.bias.empty() ? nullptr : panels.bias.data();
  multiply(pool, panels.loops, x, x_stride, y, y_stride, m, panels.n, panels.k, false, bias,
           [&](int64_t j, int64_t columns, int64_t p, int64_t) { return panels.at(j, columns, p); });
}

}  // namespace distiltune::kernels
