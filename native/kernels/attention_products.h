#pragma once
#include <cstdint>
#include <type_traits>

#include "cut.h"
#include "inner.h"
#include "inner_bf16.h"
#include "scratch.h"
#include "strips.h"

namespace distiltune::kernels {

/** Products of one thread on operands that `Loops` multiply, Inner or InnerBf16, given and added up as
 * floats.
 */
template <typename Loops>
class Products {
 public:
  using Value = typename Loops::Value;

  explicit Products(const Loops& loops) : loops_(loops) {}

  /** b (depth, columns) as a right operand, in the scratch memory `use`. */
  const Value* right(Scratch use, const float* b, int64_t stride, int64_t depth, int64_t columns) const {
    Value* packed = scratch_of<Value>(use, values(depth) * up(columns, loops_.width));
    loops_.pack(b, stride, depth, columns, packed);
    return packed;
  }
  /** The same from the transpose, bt (columns, depth). */
  const Value* right_of_transpose(Scratch use, const float* bt, int64_t stride, int64_t depth,
                                  int64_t columns) const {
    Value* packed = scratch_of<Value>(use, values(depth) * up(columns, loops_.width));
    loops_.pack_transposed(bt, stride, depth, columns, packed);
    return packed;
  }

  /** c (rows, columns) = or += a (rows, depth) · right. */
  void multiply(const float* a, int64_t stride, const Value* right, float* c, int64_t c_stride, int64_t rows,
                int64_t columns, int64_t depth, Store store = Store::overwrite) const {
    if constexpr (std::is_same_v<Value, float>) {
      loops_.multiply(a, stride, right, c, c_stride, rows, columns, depth, store, nullptr, {});
    } else {
      const int64_t width = values(depth);
      Value* words = scratch_of<Value>(Scratch::words, rows * width);
      for (int64_t r = 0; r < rows; ++r) loops_.words(a + r * stride, depth, words + r * width);
      loops_.multiply(words, width, right, c, c_stride, rows, columns, width, store, nullptr, {});
    }
  }
  /** c (rows, columns) = or += aᵀ · right, a (depth, rows). */
  void multiply_transpose(const float* a, int64_t stride, const Value* right, float* c, int64_t c_stride,
                          int64_t rows, int64_t columns, int64_t depth, Store store) const {
    Value* left = scratch_of<Value>(Scratch::left, values(depth) * up(rows, tile_rows));
    loops_.pack_left(a, stride, depth, rows, left, nullptr);
    loops_.multiply_packed(left, right, c, c_stride, rows, columns, values(depth), store, {});
  }

 private:
  static int64_t values(int64_t depth) { return ceil_div(depth, Loops::step); }

  const Loops& loops_;
};

}  // namespace distiltune::kernels
