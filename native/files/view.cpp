#include "view.h"

#include <algorithm>

#include "element.h"

namespace distiltune::files {
namespace {

/** One axis of more than one element. */
struct Axis {
  uint64_t size;
  uint64_t stride;  // in the storage
  uint64_t step;    // in `out`
};

/**
 * Walks a view in the order of its storage, so that a matrix stored by columns is read once from front to
 * back, and puts each value where row-major order wants it. The innermost axes that lie close together make a
 * block, which is read through a buffer; elements far apart are read one by one.
 */
class Gather {
 public:
  Gather(const InputFile& file, const TensorView& view, std::vector<Axis> axes, float* out)
      : file_(file), view_(view), axes_(std::move(axes)), out_(out), width_(bits_of(view.dtype) / 8) {
    std::stable_sort(axes_.begin(), axes_.end(),
                     [](const Axis& a, const Axis& b) { return a.stride > b.stride; });
    // What is read for nothing is bounded by a multiple of what is wanted, or costs no more than one call.
    constexpr uint64_t most_per_wanted = 16, always_fine = 1u << 16;
    uint64_t wanted = 1;
    for (block_ = axes_.size(); block_ > 0; --block_) {
      const Axis& axis = axes_[block_ - 1];
      const uint64_t extent = (axis.size - 1) * axis.stride + extent_;
      wanted *= axis.size;
      if (extent > std::max(always_fine, most_per_wanted * wanted)) break;
      extent_ = extent;
    }
  }

  void run() { walk(0, view_.offset, out_); }

 private:
  void walk(size_t depth, uint64_t from, float* to) {
    if (depth == block_) block_end_ = from + extent_;
    if (depth == axes_.size()) {
      *to = *at(from);
      return;
    }
    const Axis& axis = axes_[depth];
    if (depth + 1 < axes_.size() || depth < block_) {
      for (uint64_t i = 0; i < axis.size; ++i) walk(depth + 1, from + i * axis.stride, to + i * axis.step);
      return;
    }
    for (uint64_t i = 0; i < axis.size;) {
      const float* values = at(from + i * axis.stride);
      const auto here = static_cast<uint64_t>(buffer_.data() + buffer_.size() - values);  // from 1
      const uint64_t some =
          axis.stride == 0 ? axis.size : std::min(axis.size - i, (here - 1) / axis.stride + 1);
      for (uint64_t k = 0; k < some; ++k) to[(i + k) * axis.step] = values[k * axis.stride];
      i += some;
    }
  }

  /** Element `place` of the storage; those behind it up to the end of the buffer follow. */
  const float* at(uint64_t place) {
    if (place < buffer_begin_ || place - buffer_begin_ >= buffer_.size()) {
      buffer_.resize(static_cast<size_t>(std::min<uint64_t>(elements_at_a_time, block_end_ - place)));
      read_floats(file_, view_.begin + place * width_, view_.dtype, buffer_.size(), buffer_.data());
      buffer_begin_ = place;
    }
    return &buffer_[static_cast<size_t>(place - buffer_begin_)];
  }

  const InputFile& file_;
  const TensorView& view_;
  std::vector<Axis> axes_;  // the largest stride first
  float* out_;
  uint64_t width_;
  size_t block_ = 0;        // the axes from here on make a block
  uint64_t extent_ = 1;     // of a block in the storage
  uint64_t block_end_ = 0;  // of the block that is read, in the storage
  std::vector<float> buffer_;
  uint64_t buffer_begin_ = 0;
};

}  // namespace

void read_view(const InputFile& file, const TensorView& view, float* out) {
  std::vector<Axis> axes;
  uint64_t count = 1;
  bool contiguous = true;
  for (size_t i = view.sizes.size(); i-- > 0;) {
    if (view.sizes[i] == 0) return;
    if (view.sizes[i] == 1) continue;
    contiguous = contiguous && view.strides[i] == count;
    axes.push_back({view.sizes[i], view.strides[i], count});
    count *= view.sizes[i];
  }
  if (contiguous)
    return read_floats(file, view.begin + view.offset * (bits_of(view.dtype) / 8), view.dtype, count, out);
  Gather(file, view, std::move(axes), out).run();
}

}  // namespace distiltune::files
