#pragma once
#include <cstddef>
#include <cstdint>

#include "ops/ops.h"

namespace distiltune::engine {

/** Uninitialised memory on a 64-byte boundary, in huge pages where the system gives them. */
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(size_t bytes);
  ~Buffer();
  Buffer(Buffer&& other) noexcept;
  Buffer& operator=(Buffer&& other) noexcept;

  void* data() const { return data_; }
  size_t bytes() const { return bytes_; }

 private:
  void* data_ = nullptr;
  size_t bytes_ = 0;
};

/** Cuts matrices out of a piece of memory, one behind the other, each on a 64-byte boundary. */
class Cutter {
 public:
  /** Without memory the matrices point nowhere and only used() counts. */
  Cutter(DType dtype, void* memory) : dtype_(dtype), memory_(static_cast<char*>(memory)) {}

  View matrix(int64_t rows, int64_t cols) {
    const View view{memory_ ? memory_ + used_ : nullptr, dtype_, rows, cols, cols};
    used_ += (view.count() * size_of(dtype_) + 63) / 64 * 64;
    return view;
  }
  View vector(int64_t count) { return matrix(1, count); }
  size_t used() const { return used_; }

 private:
  DType dtype_;
  char* memory_;
  size_t used_ = 0;
};

/** Memory for the matrices of one pass, kept from pass to pass; as large as the largest pass so far. */
class Workspace {
 public:
  /** Calls cut(Cutter&) to measure, then in memory, and returns what that returned. Earlier matrices die. */
  template <class Cut>
  auto matrices(DType dtype, Cut cut) {
    Cutter measure(dtype, nullptr);
    cut(measure);
    if (measure.used() > buffer_.bytes()) {
      buffer_ = Buffer();  // gives the smaller one back first
      buffer_ = Buffer(measure.used());
    }
    Cutter cutter(dtype, buffer_.data());
    return cut(cutter);
  }

 private:
  Buffer buffer_;
};

}  // namespace distiltune::engine
