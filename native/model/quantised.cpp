#include "quantised.h"

#include <vector>

#include "../failure.h"
#include "../files/safetensors.h"
#include "../kernels/gemm_int8.h"

namespace distiltune::model {

std::optional<Rule> int8_rule(const ParameterInfo& info) {
  if (info.name == "distilbert.embeddings.word_embeddings.weight") return Rule::none;
  if (info.cols > 0 && info.name.rfind("distilbert.transformer.", 0) == 0) return Rule::groups;
  return std::nullopt;
}

void quantise(Rule rule, const ParameterInfo& info, const float* values, int8_t* q, float* scales) {
  const auto row_of = rule == Rule::groups ? kernels::quantise_weights : kernels::quantise_row;
  for (int64_t row = 0; row < info.rows; ++row)
    scales[row] = row_of(values + row * info.cols, info.cols, q + row * info.cols);
}

bool keeps(Rule rule, const ParameterInfo& info, const int8_t* q) {
  if (rule == Rule::none) return true;
  for (int64_t row = 0; row < info.rows; ++row)
    if (!kernels::are_quantised_weights(q + row * info.cols, info.cols)) return false;
  return true;
}

void save_int8(const std::string& from, const Shape& shape, const Head& head, const std::string& to) {
  const WeightsFile file(from, shape);
  check(head, shape.labels, shape.dim);
  const std::vector<ParameterInfo> infos = parameters(shape);
  std::vector<std::vector<float>> floats;
  std::vector<std::vector<int8_t>> bytes;
  std::vector<files::FloatTensor> tensors;
  for (size_t place = 0; place < infos.size(); ++place) {
    const ParameterInfo& info = infos[place];
    if (info.name == "classifier.weight" || info.name == "classifier.bias") {
      tensors.push_back({info.name, info.sizes(), (info.cols > 0 ? head.weight : head.bias).data()});
      continue;
    }
    const std::optional<Rule> rule = int8_rule(info);
    std::vector<float> values(static_cast<size_t>(info.count()));
    if (!rule) {
      if (!file.read(place, values.data()))
        throw Failure("TENSOR_MISSING", info.name + " is missing in " + from);
      floats.push_back(std::move(values));
      tensors.push_back({info.name, info.sizes(), floats.back().data()});
      continue;
    }
    std::vector<float> scales(static_cast<size_t>(info.rows));
    std::vector<int8_t> q(values.size());
    if (!file.read_int8(place, q.data(), scales.data()) || !keeps(*rule, info, q.data())) {
      file.read(place, values.data());
      quantise(*rule, info, values.data(), q.data(), scales.data());
    }
    floats.push_back(std::move(scales));
    bytes.push_back(std::move(q));
    tensors.push_back({info.name, info.sizes(), nullptr, bytes.back().data()});
    tensors.push_back({info.name + "_scale", {static_cast<uint64_t>(info.rows)}, floats.back().data()});
  }
  files::write_safetensors(to, tensors, {{"format", "distiltune-int8"}});
}

}  // namespace distiltune::model
