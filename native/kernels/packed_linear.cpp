#include "packed_linear.h"

#include <algorithm>

#include "gemm_tasks.h"

namespace distiltune::kernels {
namespace {

template <typename Loops>
const Loops& in_use();
template <>
const Inner& in_use() {
  return inner();
}
template <>
const InnerBf16& in_use() {
  return inner_bf16();
}

/** Where the parts of a packed layer lie, counted in Values. */
template <typename Loops>
struct Parts {
  Parts(int64_t outputs, int64_t inputs)
      : depth(ceil_div(inputs, Loops::step)),
        width(in_use<Loops>().width),
        bias(up(up(outputs, width) * depth, 16)),
        end(bias + outputs) {}

  /** Where the panels of columns from j on, Values of the depth from p on lie. */
  int64_t panel(int64_t j, int64_t columns, int64_t p) const { return j * depth + p * up(columns, width); }

  int64_t depth, width, bias, end;
};

/** Panels as PackedLinear::pack() left them. */
template <typename Loops>
struct PackedBefore {
  using Value = typename Loops::Value;

  const Value* panel(int64_t j, int64_t columns, int64_t p, int64_t) const {
    return packed + parts.panel(j, columns, p);
  }
  Ahead ahead(int64_t j, int64_t columns, int64_t p, int64_t depth) const {
    return {panel(j, columns, p, depth), depth * columns * static_cast<int64_t>(sizeof(Value))};
  }
  int64_t rows_limit(int64_t, int64_t) const { return kernels::rows_limit; }

  const Value* packed;
  Parts<Loops> parts;
};

}  // namespace

template <typename Loops>
size_t PackedLinear<Loops>::bytes(int64_t outputs, int64_t inputs) {
  static_assert(sizeof(Value) == sizeof(float), "the bias lies among Values");
  return static_cast<size_t>(Parts<Loops>(outputs, inputs).end) * sizeof(Value);
}

template <typename Loops>
void PackedLinear<Loops>::pack(const float* w, const float* bias, int64_t outputs, int64_t inputs, void* to) {
  const Parts<Loops> parts(outputs, inputs);
  const Cut groups(outputs, group_columns, group_columns), depths(parts.depth, depth_limit, 16);
  auto* packed = static_cast<Value*>(to);
  for (int64_t group = 0; group < groups.parts(); ++group) {
    for (int64_t block = 0; block < depths.parts(); ++block) {
      const int64_t j = groups.begin(group), columns = groups.size(group), p = depths.begin(block);
      const int64_t first = p * Loops::step;
      in_use<Loops>().pack_transposed(w + j * inputs + first, inputs,
                                      std::min(depths.size(block) * Loops::step, inputs - first), columns,
                                      packed + parts.panel(j, columns, p));
    }
  }
  std::copy_n(bias, outputs, static_cast<float*>(to) + parts.bias);
}

template <typename Loops>
PackedLinear<Loops>::PackedLinear(const void* packed, int64_t outputs, int64_t inputs)
    : packed_(packed), outputs_(outputs), inputs_(inputs) {}

template <typename Loops>
void PackedLinear<Loops>::apply(ThreadPool& pool, const Value* x, int64_t x_stride, float* y,
                                int64_t y_stride, int64_t m, After after) const {
  const Parts<Loops> parts(outputs_, inputs_);
  multiply(pool, in_use<Loops>(), x, x_stride, y, y_stride, m, outputs_, parts.depth, false,
           static_cast<const float*>(packed_) + parts.bias, after,
           PackedBefore<Loops>{static_cast<const Value*>(packed_), parts});
}

template class PackedLinear<Inner>;
template class PackedLinear<InnerBf16>;

}  // namespace distiltune::kernels
