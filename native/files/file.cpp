#include "file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#ifdef _WIN32
#include <io.h>
#else
#include <unistd.h>
#endif

#include "../failure.h"
#include "wide.h"

namespace distiltune::files {
namespace {

// One system call moves at most this much: Linux and macOS stop short of 2 GiB, Windows takes an unsigned
// int.
constexpr size_t largest_transfer = size_t{1} << 30;

#ifdef _WIN32

using FileInfo = struct _stat64;
int open_to_read(const std::string& path) {
  return _wopen(wide(path).c_str(), _O_RDONLY | _O_BINARY | _O_NOINHERIT);
}
int open_to_write(const std::string& path) {
  return _wopen(wide(path).c_str(), _O_WRONLY | _O_CREAT | _O_TRUNC | _O_BINARY | _O_NOINHERIT,
                _S_IREAD | _S_IWRITE);
}
int inspect(int descriptor, FileInfo* info) { return _fstat64(descriptor, info); }
const char* what_instead_of_a_file(const FileInfo& info) {
  return (info.st_mode & _S_IFREG) ? nullptr : "not a regular file";
}
int64_t read_some(int descriptor, void* out, size_t length, uint64_t offset) {
  if (_lseeki64(descriptor, static_cast<int64_t>(offset), SEEK_SET) < 0) return -1;
  return _read(descriptor, out, static_cast<unsigned>(length));
}
int64_t write_some(int descriptor, const void* data, size_t length) {
  return _write(descriptor, data, static_cast<unsigned>(length));
}
int flush(int descriptor) { return _commit(descriptor); }
int close_descriptor(int descriptor) { return _close(descriptor); }

#else

using FileInfo = struct stat;
// Non-blocking: opening a FIFO that nobody writes to would otherwise wait for ever.
int open_to_read(const std::string& path) { return ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC); }
int open_to_write(const std::string& path) {
  return ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
}
int inspect(int descriptor, FileInfo* info) { return ::fstat(descriptor, info); }
const char* what_instead_of_a_file(const FileInfo& info) {
  if (S_ISREG(info.st_mode)) return nullptr;
  return S_ISDIR(info.st_mode) ? "a folder" : S_ISFIFO(info.st_mode) ? "a FIFO" : "a device or socket";
}
int64_t read_some(int descriptor, void* out, size_t length, uint64_t offset) {
  return ::pread(descriptor, out, length, static_cast<off_t>(offset));
}
int64_t write_some(int descriptor, const void* data, size_t length) {
  return ::write(descriptor, data, length);
}
int flush(int descriptor) { return ::fsync(descriptor); }
int close_descriptor(int descriptor) { return ::close(descriptor); }

#endif

std::string words(int error) { return std::generic_category().message(error); }

[[noreturn]] void fail_reading(const std::string& path, const std::string& reason) {
  throw Failure("FILE_NOT_READABLE", "Expected to read " + path + ", but " + reason);
}

[[noreturn]] void fail_writing(const std::string& path, int error) {
  const bool full = error == ENOSPC
#ifdef EDQUOT
                    || error == EDQUOT
#endif
      ;
  if (full)
    throw Failure("DISK_FULL", "No space left to write " + path + " (" + words(error) + ")",
                  "free some disk space");
  if (error == EMFILE || error == ENFILE)
    throw Failure("TOO_MANY_FILES", "Could not write " + path + ": " + words(error));
  const bool refused = error == EACCES || error == EPERM || error == EROFS || error == ENOENT ||
                       error == ENOTDIR || error == EISDIR;
  throw Failure(refused ? "NOT_WRITABLE" : "WRITE_FAILED", "Could not write " + path + ": " + words(error));
}

}  // namespace

InputFile::InputFile(const std::string& path) : path_(path) {
  if (path.find('\0') != std::string::npos) fail_reading(path.c_str(), "the path holds a NUL character");
  descriptor_ = open_to_read(path);
  if (descriptor_ < 0) {
    if (errno == ENOENT || errno == ENOTDIR)
      throw Failure("FILE_NOT_FOUND", "Expected a file at " + path + ", but there is none");
    fail_reading(path, "the system said: " + words(errno));
  }
  FileInfo info;
  const int failed = inspect(descriptor_, &info);
  const char* instead = failed ? nullptr : what_instead_of_a_file(info);
  if (failed || instead) {
    const std::string reason =
        instead ? std::string("it is ") + instead + ", not a file" : "the system said: " + words(errno);
    close_descriptor(descriptor_);
    fail_reading(path, reason);
  }
  size_ = static_cast<uint64_t>(info.st_size);
}

InputFile::~InputFile() { close_descriptor(descriptor_); }

void InputFile::read(uint64_t offset, void* out, size_t length) const {
  auto* target = static_cast<char*>(out);
  while (length > 0) {
    const int64_t got = read_some(descriptor_, target, std::min(length, largest_transfer), offset);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail_reading(path_, "the system said: " + words(errno));
    if (got == 0) fail_reading(path_, "it became shorter while it was read");
    target += got;
    offset += static_cast<uint64_t>(got);
    length -= static_cast<size_t>(got);
  }
}

OutputFile::OutputFile(const std::string& path) : path_(path), descriptor_(open_to_write(path)) {
  if (descriptor_ < 0) fail_writing(path_, errno);
}

OutputFile::~OutputFile() {
  if (descriptor_ >= 0) close_descriptor(descriptor_);
}

void OutputFile::write(const void* data, size_t length) {
  auto* source = static_cast<const char*>(data);
  while (length > 0) {
    const int64_t written = write_some(descriptor_, source, std::min(length, largest_transfer));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail_writing(path_, errno);
    source += written;
    length -= static_cast<size_t>(written);
  }
}

void OutputFile::finish() {
  if (flush(descriptor_) != 0) fail_writing(path_, errno);
  const int descriptor = descriptor_;
  descriptor_ = -1;
  // Network file systems report a full disk or quota only here.
  if (close_descriptor(descriptor) != 0) fail_writing(path_, errno);
}

}  // namespace distiltune::files
