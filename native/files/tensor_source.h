#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace distiltune::files {

// More than any classifier has; they bound the memory that a hostile file takes.
inline constexpr size_t most_tensors = 100'000;
inline constexpr size_t most_dimensions = 64;  // torch's own limit

/** One tensor as a file declares it, checked: its values lie inside the file. */
struct TensorInfo {
  std::string name;
  std::string dtype;            // as safetensors spells it: "F32", "F16", "BF16", "I64", ...
  std::vector<uint64_t> shape;  // empty: a scalar
  uint64_t count;               // product of shape
};

/** Named tensors on disk, whatever the form. One thread at a time. */
class TensorSource {
 public:
  virtual ~TensorSource() = default;

  /** The file that was opened; of shards, their index. */
  virtual const std::string& path() const = 0;
  virtual const std::vector<TensorInfo>& tensors() const = 0;

  /** Row-major values of tensors()[place] into `out` (its count of floats): F32 as it is, F16 and BF16
   * widened exactly, F64 rounded to nearest. Throws TENSOR_DTYPE for the others, FILE_NOT_READABLE, and
   * PYTORCH_BIN_INVALID where a checksum is wrong. */
  void read(size_t place, float* out) const;
  /** Values of an I8 tensor as they are. Throws TENSOR_DTYPE for others and where the form is not
   * safetensors. */
  void read_int8(size_t place, int8_t* out) const;

 protected:
  virtual void read_bytes(size_t place, int8_t* out) const;
  virtual void read_floats(size_t place, float* out) const = 0;
};

/**
 * Opens weights by their name: *.safetensors, *.bin (pickles, as torch.save writes them since 0.4), or the
 * *.index.json of either's shards. No values are read. Throws FILE_NOT_FOUND, FILE_NOT_READABLE,
 * SAFETENSORS_INVALID, PYTORCH_BIN_INVALID or WEIGHTS_INDEX_INVALID.
 */
std::unique_ptr<TensorSource> open_tensors(const std::string& path);

/** Throws TENSOR_DTYPE unless read() can give the tensor's values; `path` is for the message. */
void require_float(const TensorInfo& tensor, const std::string& path);

/** "[2, 384]" */
std::string shape_text(const std::vector<uint64_t>& shape);
/** The name in backquotes, as a message shows it: a hostile one may be megabytes long or move a cursor. */
std::string shown(const std::string& name);

}  // namespace distiltune::files
