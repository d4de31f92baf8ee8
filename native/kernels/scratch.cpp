#include "scratch.h"

#include <new>

namespace distiltune::kernels {
namespace {

constexpr std::align_val_t alignment{64};

struct Buffer {
  float* data = nullptr;
  size_t size = 0;
  ~Buffer() { ::operator delete(data, alignment); }
};

}  // namespace

float* scratch(Scratch use, size_t floats) {
  thread_local Buffer buffers[static_cast<size_t>(Scratch::count)];
  Buffer& buffer = buffers[static_cast<size_t>(use)];
  if (floats > buffer.size) {
    const size_t size = floats + floats / 4;
    ::operator delete(buffer.data, alignment);
    buffer.data = nullptr;
    buffer.size = 0;
    buffer.data = static_cast<float*>(::operator new(size * sizeof(float), alignment));
    buffer.size = size;
  }
  return buffer.data;
}

}  // namespace distiltune::kernels
