#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "file.h"

// The safetensors format (huggingface/safetensors, README.md): u64 little-endian header length, JSON header,
// data block. A file from outside is hostile: every number is checked against the file's size before anything
// is allocated.

namespace distiltune::files {

/** One tensor as a header declares it, checked: its span lies in the data block and fits shape and dtype. */
struct TensorEntry {
  std::string name;
  std::string dtype;            // "F32", "F16", "BF16", "I64", ...
  std::vector<uint64_t> shape;  // empty: a scalar
  uint64_t begin;               // bytes from the start of the data block
  uint64_t end;
  uint64_t count;  // product of shape
};

/** "[2, 384]" */
std::string shape_text(const std::vector<uint64_t>& shape);
/** The name in backquotes, as a message shows it: a hostile one may be megabytes long. */
std::string shown(const std::string& name);

/** An open .safetensors file whose header is sound. Throws SAFETENSORS_INVALID, FILE_NOT_FOUND or
 * FILE_NOT_READABLE. */
class SafetensorsReader {
 public:
  /** Reads and checks the header; no tensor data is read. */
  explicit SafetensorsReader(const std::string& path);

  const std::string& path() const { return file_.path(); }
  /** In the order of their data. */
  const std::vector<TensorEntry>& tensors() const { return tensors_; }

  /** Reads an F32, F16 or BF16 tensor, widened exactly, into `out` (entry.count floats). Throws TENSOR_DTYPE
   * for the others. */
  void read(const TensorEntry& entry, float* out) const;

 private:
  InputFile file_;
  uint64_t data_start_ = 0;
  std::vector<TensorEntry> tensors_;
};

/** A float tensor to be written; `data` holds the product of `shape` floats. */
struct FloatTensor {
  std::string name;
  std::vector<uint64_t> shape;
  const float* data;
};

/**
 * Writes tensors as F32 the way the reference library does (sorted by name, header padded to 8 bytes) and
 * flushes them to the disk. Writes straight to `path`: temporary names and renames are the caller's. Throws
 * DISK_FULL, NOT_WRITABLE or WRITE_FAILED.
 */
void write_safetensors(const std::string& path, const std::vector<FloatTensor>& tensors,
                       const std::map<std::string, std::string>& metadata);

}  // namespace distiltune::files
