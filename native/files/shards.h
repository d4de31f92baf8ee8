#pragma once
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tensor_source.h"

namespace distiltune::files {

/** Weights in several files of one form beside an index that says which tensor is in which:
 * {"metadata": ..., "weight_map": {"tensor": "file"}}. */
class ShardedReader final : public TensorSource {
 public:
  /** Opens every shard. Throws WEIGHTS_INDEX_INVALID, also where a shard is missing or a tensor is not in
   * exactly the shard that the index names, and what opening a shard throws. */
  explicit ShardedReader(const std::string& index);

  const std::string& path() const override { return path_; }
  /** Shard by shard. */
  const std::vector<TensorInfo>& tensors() const override { return tensors_; }

 protected:
  void read_floats(size_t place, float* out) const override;

 private:
  std::string path_;
  std::vector<std::unique_ptr<TensorSource>> shards_;
  std::vector<TensorInfo> tensors_;
  std::vector<std::pair<size_t, size_t>> places_;  // of each tensor: its shard, and its place there
};

}  // namespace distiltune::files
