#pragma once
#include <string>
#include <vector>

#include "file.h"
#include "pickle.h"
#include "tensor_source.h"
#include "view.h"

namespace distiltune::files {

/**
 * A state dict that torch.save wrote: a zip since torch 1.6, before that a row of pickles followed by the
 * storages (torch/serialization.py, _save and _legacy_save). Nothing but tensors can come out of it:
 * pickle_machine.h.
 */
class PytorchReader final : public TensorSource {
 public:
  /** Reads and checks all but the values. Throws PYTORCH_BIN_INVALID, FILE_NOT_FOUND or FILE_NOT_READABLE. */
  explicit PytorchReader(const std::string& path);

  const std::string& path() const override { return file_.path(); }
  /** In the order of the dict. */
  const std::vector<TensorInfo>& tensors() const override { return tensors_; }

 protected:
  /** Also compares the checksum of a zip's storage before its first value is used. */
  void read_floats(size_t place, float* out) const override;

 private:
  /** Where a storage lies in the file. */
  struct Storage {
    uint64_t begin;
    uint64_t bytes;
    uint32_t crc;
    bool checked;  // or there is nothing to compare with
  };

  void open();
  void open_zip();
  void open_legacy();
  PickleMachine run(RangeReader& in) const;
  void take(StateDict dict);

  InputFile file_;
  std::vector<TensorInfo> tensors_;
  std::vector<TensorView> views_;          // one per tensor
  std::vector<size_t> storage_of_;         // one per tensor
  mutable std::vector<Storage> storages_;  // `checked` is set while reading
};

}  // namespace distiltune::files
