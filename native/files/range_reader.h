#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "file.h"

namespace distiltune::files {

/** Bytes [begin, end) of a file, which lie in it, read once from left to right through a small buffer. */
class RangeReader {
 public:
  RangeReader(const InputFile& file, uint64_t begin, uint64_t end) : file_(&file), at_(begin), end_(end) {}

  /** Place in the file of the next byte. */
  uint64_t at() const { return at_; }
  uint64_t left() const { return end_ - at_; }

  /** The next bytes, at most left(). Throws FILE_NOT_READABLE. */
  void read(void* out, size_t length);
  /** Passes over at most left() bytes. */
  void skip(uint64_t length) { at_ += length; }

 private:
  const InputFile* file_;
  uint64_t at_;
  uint64_t end_;
  std::vector<unsigned char> buffer_;
  uint64_t buffer_begin_ = 0;  // place in the file of buffer_[0]
};

}  // namespace distiltune::files
