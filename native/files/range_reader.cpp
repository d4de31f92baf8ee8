#include "range_reader.h"

#include <algorithm>
#include <cstring>

namespace distiltune::files {

void RangeReader::read(void* out, size_t length) {
  constexpr uint64_t buffer_size = 1u << 16;
  auto* target = static_cast<unsigned char*>(out);
  while (length > 0) {
    if (at_ < buffer_begin_ || at_ >= buffer_begin_ + buffer_.size()) {
      buffer_.resize(static_cast<size_t>(std::min(buffer_size, left())));
      buffer_begin_ = at_;
      file_->read(at_, buffer_.data(), buffer_.size());
    }
    const auto from = static_cast<size_t>(at_ - buffer_begin_);
    const size_t some = std::min(length, buffer_.size() - from);
    std::memcpy(target, &buffer_[from], some);
    target += some;
    length -= some;
    at_ += some;
  }
}

}  // namespace distiltune::files
