#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "file.h"

namespace distiltune::files {

/** A tensor as torch sees it: element i of each axis lies strides[axis] elements behind element i - 1. Views
 * may overlap, and a stride of 0 repeats one element. */
struct TensorView {
  uint64_t begin;  // of its storage in the file, in bytes
  std::string dtype;
  uint64_t offset;  // in elements, like the strides
  std::vector<uint64_t> sizes;
  std::vector<uint64_t> strides;
};

/** The values of a view that lies in the file, of a float dtype, in row-major order. */
void read_view(const InputFile& file, const TensorView& view, float* out);

}  // namespace distiltune::files
