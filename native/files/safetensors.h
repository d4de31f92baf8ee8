#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "file.h"
#include "tensor_source.h"

// The safetensors format (huggingface/safetensors, README.md): u64 little-endian header length, JSON header,
// data block. A file from outside is hostile: every number is checked against the file's size before anything
// is allocated.

namespace distiltune::files {

/** An open .safetensors file whose header is sound. */
class SafetensorsReader final : public TensorSource {
 public:
  /** Reads and checks the header; no tensor data is read. Throws SAFETENSORS_INVALID, FILE_NOT_FOUND or
   * FILE_NOT_READABLE. */
  explicit SafetensorsReader(const std::string& path);

  const std::string& path() const override { return file_.path(); }
  /** In the order of their data. */
  const std::vector<TensorInfo>& tensors() const override { return tensors_; }

 protected:
  void read_floats(size_t place, float* out) const override;
  void read_bytes(size_t place, int8_t* out) const override;

 private:
  InputFile file_;
  std::vector<TensorInfo> tensors_;
  std::vector<uint64_t> begins_;  // first byte of each tensor, from the start of the file
};

/** A tensor to be written; `data` holds the product of `shape` floats, or else `bytes` so many 8-bit numbers
 * or `halves` so many bfloat16. */
struct FloatTensor {
  std::string name;
  std::vector<uint64_t> shape;
  const float* data;
  const int8_t* bytes = nullptr;
  const uint16_t* halves = nullptr;
};

/**
 * Writes tensors as F32, I8 or BF16 the way the reference library does (sorted by name, header padded to 8
 * bytes) and flushes them to the disk. Writes straight to `path`: temporary names and renames are the
 * caller's. Throws DISK_FULL, NOT_WRITABLE or WRITE_FAILED.
 */
void write_safetensors(const std::string& path, const std::vector<FloatTensor>& tensors,
                       const std::map<std::string, std::string>& metadata);

}  // namespace distiltune::files
