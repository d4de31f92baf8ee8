#pragma once
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "files/safetensors.h"
#include "model/predictor.h"
#include "model/weights.h"

namespace distiltune::model::test {

/** Parameter j, element k: 0.3 sin(1.7 k + 0.9 j), and 1 more for the weight of a LayerNorm. */
inline void write_worked_model(const std::string& path, const Shape& shape) {
  const std::vector<ParameterInfo> all = parameters(shape);
  std::vector<std::vector<float>> values(all.size());
  std::vector<files::FloatTensor> tensors;
  for (size_t j = 0; j < all.size(); ++j) {
    const bool gain =
        !all[j].decay && all[j].name.size() > 6 && all[j].name.substr(all[j].name.size() - 6) == "weight";
    for (int64_t k = 0; k < all[j].count(); ++k)
      values[j].push_back(static_cast<float>(
          0.3 * std::sin(1.7 * static_cast<double>(k) + 0.9 * static_cast<double>(j)) + (gain ? 1 : 0)));
    tensors.push_back({all[j].name, all[j].sizes(), values[j].data()});
  }
  files::write_safetensors(path, tensors, {});
}

inline Predictor open(const std::string& path, const Shape& shape, int threads, Dtype dtype = Dtype::fp32,
                      const std::string& cache = "") {
  return Predictor(std::make_unique<PackedWeights>(path, shape, dtype, cache), shape, dtype,
                   std::make_shared<kernels::ThreadPool>(threads));
}

/** Of the file's own head. */
inline std::vector<float> logits(Predictor& predictor, const std::vector<int32_t>& ids,
                                 const std::vector<int32_t>& offsets) {
  const Batch batch{ids.data(), offsets.data(), static_cast<int64_t>(offsets.size()) - 1};
  check(batch, static_cast<int64_t>(ids.size()), predictor.shape());
  std::vector<float> out(static_cast<size_t>(batch.rows * predictor.shape().labels));
  predictor.logits(batch, predictor.head(), out.data(), std::atomic<bool>(false));
  return out;
}

}  // namespace distiltune::model::test
