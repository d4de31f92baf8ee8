#pragma once
#include <cstdint>
#include <string>

namespace distiltune::files {

/** What is read of a mapped file: some rows now and then, or all of it again and again. */
enum class Reading { rows, all };

/**
 * A file of ours in the address space, read-only. It may be deleted meanwhile (Windows refuses that), but
 * whoever cuts it short under a reader ends the process: only files that are renamed into place whole and
 * never written again may be mapped.
 */
class MappedFile {
 public:
  /** Throws as InputFile does, and FILE_NOT_READABLE where the system does not map it. */
  explicit MappedFile(const std::string& path, Reading reading = Reading::rows);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  uint64_t size() const { return size_; }

  /**
   * `length` bytes from `offset`, which must lie within the file; good until the file is closed. Of
   * rows, pages that were touched are let go now and then, so that resident memory does not grow with the
   * file: what is read again comes from the system's own cache.
   */
  const unsigned char* at(uint64_t offset, uint64_t length);

 private:
  const unsigned char* data_ = nullptr;  // null where there is no byte
  uint64_t size_ = 0;
  Reading reading_;
  uint64_t touched_ = 0;  // at most; bytes since pages were let go
};

}  // namespace distiltune::files
