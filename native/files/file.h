#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

namespace distiltune::files {

/** A regular file open for reading. Paths are UTF-8. Never waits on a FIFO or reads from a device. */
class InputFile {
 public:
  /** Throws FILE_NOT_FOUND, or FILE_NOT_READABLE with the system's words or with what stands there instead of
   * a file. */
  explicit InputFile(const std::string& path);
  ~InputFile();
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  const std::string& path() const { return path_; }
  /** Bytes, when it was opened. */
  uint64_t size() const { return size_; }
  /** The system's number of the open file. */
  int descriptor() const { return descriptor_; }

  /** Exactly `length` bytes from `offset`. Throws FILE_NOT_READABLE, also where the file has become shorter.
   */
  void read(uint64_t offset, void* out, size_t length) const;

 private:
  std::string path_;
  uint64_t size_ = 0;
  int descriptor_ = -1;
};

/** A file being written from its start. Throws DISK_FULL, NOT_WRITABLE, TOO_MANY_FILES or WRITE_FAILED, with
 * path and the system's words. */
class OutputFile {
 public:
  /** Created, or emptied if it was there. */
  explicit OutputFile(const std::string& path);
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  void write(const void* data, size_t length);
  /** Flushes to the disk and closes. A file that was not finished is not whole. */
  void finish();

 private:
  std::string path_;
  int descriptor_ = -1;
};

}  // namespace distiltune::files
