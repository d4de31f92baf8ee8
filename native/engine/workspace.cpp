#include "workspace.h"

#include <new>
#include <utility>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace distiltune::engine {

namespace {

constexpr size_t huge_page = size_t{2} << 20;

// Small buffers do not fill one huge page; large ones must begin on its boundary to get any.
std::align_val_t alignment(size_t bytes) { return std::align_val_t(bytes < huge_page ? 64 : huge_page); }

}  // namespace

Buffer::Buffer(size_t bytes) : data_(::operator new(bytes, alignment(bytes))), bytes_(bytes) {
#if defined(__linux__)
  // A step touches hundreds of megabytes; with 4 KiB pages the faults cost a few percent of it.
  if (bytes >= huge_page) madvise(data_, bytes / huge_page * huge_page, MADV_HUGEPAGE);
#endif
}

Buffer::~Buffer() {
  if (data_) ::operator delete(data_, alignment(bytes_));
}

Buffer::Buffer(Buffer&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

}  // namespace distiltune::engine
