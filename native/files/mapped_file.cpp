#include "mapped_file.h"

#include <cerrno>
#include <system_error>

#include "../failure.h"
#include "file.h"

#ifdef _WIN32
#include <io.h>

#include "wide.h"
#else
#include <sys/mman.h>
#endif

namespace distiltune::files {
namespace {

constexpr uint64_t most_touched = uint64_t{64} << 20;
// Linux maps this much around a page that is asked for (fault_around_bytes), at either end of a range.
constexpr uint64_t around = 2 * (uint64_t{64} << 10);

[[noreturn]] void fail(const std::string& path, int error, const std::error_category& category) {
  throw Failure("FILE_NOT_READABLE",
                "Expected to map " + path + ", but the system said: " + category.message(error));
}

#ifdef _WIN32

const unsigned char* map(const InputFile& file, Reading) {
  const auto handle = reinterpret_cast<HANDLE>(_get_osfhandle(file.descriptor()));
  const HANDLE section = CreateFileMappingW(handle, nullptr, PAGE_READONLY, 0, 0, nullptr);
  if (!section) fail(file.path(), static_cast<int>(GetLastError()), std::system_category());
  const void* data = MapViewOfFile(section, FILE_MAP_READ, 0, 0, 0);
  const auto error = static_cast<int>(GetLastError());
  CloseHandle(section);
  if (!data) fail(file.path(), error, std::system_category());
  return static_cast<const unsigned char*>(data);
}
void unmap(const unsigned char* data, uint64_t) { UnmapViewOfFile(data); }
void let_go(const unsigned char*, uint64_t) {}  // Windows trims a working set by itself

#else

const unsigned char* map(const InputFile& file, Reading reading) {
  const auto size = static_cast<size_t>(file.size());
  void* data = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, file.descriptor(), 0);
  if (data == MAP_FAILED) fail(file.path(), errno, std::generic_category());
  // Rows come in any order: what lies behind one is not wanted next.
  ::madvise(data, size, reading == Reading::rows ? MADV_RANDOM : MADV_WILLNEED);
  return static_cast<const unsigned char*>(data);
}
void unmap(const unsigned char* data, uint64_t size) {
  ::munmap(const_cast<unsigned char*>(data), static_cast<size_t>(size));
}
void let_go(const unsigned char* data, uint64_t size) {
  ::madvise(const_cast<unsigned char*>(data), static_cast<size_t>(size), MADV_DONTNEED);
}

#endif

}  // namespace

MappedFile::MappedFile(const std::string& path, Reading reading) : reading_(reading) {
  const InputFile file(path);
  size_ = file.size();
  if (size_ > SIZE_MAX) fail(path, ENOMEM, std::generic_category());
  if (size_ > 0) data_ = map(file, reading);
}

MappedFile::~MappedFile() {
  if (data_) unmap(data_, size_);
}

const unsigned char* MappedFile::at(uint64_t offset, uint64_t length) {
  touched_ += length + around;
  if (reading_ == Reading::rows && touched_ > most_touched) {
    let_go(data_, size_);
    touched_ = length + around;
  }
  return data_ + offset;
}

}  // namespace distiltune::files
