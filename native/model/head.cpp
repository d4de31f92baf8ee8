#include "head.h"

#include <string>

#include "../failure.h"
#include "../files/safetensors.h"
#include "weights.h"

namespace distiltune::model {

void check(const Head& head, int64_t labels, int64_t dim) {
  if (head.weight.size() == static_cast<size_t>(labels * dim) &&
      head.bias.size() == static_cast<size_t>(labels))
    return;
  throw Failure("HEAD_INVALID", "Expected a head of " + std::to_string(labels * dim) + " weights and " +
                                    std::to_string(labels) + " biases, got " +
                                    std::to_string(head.weight.size()) + " and " +
                                    std::to_string(head.bias.size()));
}

void save_with_head(const std::string& from, const Shape& shape, const Head& head, const std::string& to) {
  const WeightsFile file(from, shape);
  check(head, shape.labels, shape.dim);
  const std::vector<ParameterInfo> infos = parameters(shape);
  std::vector<std::vector<float>> values;
  std::vector<files::FloatTensor> tensors;
  for (size_t place = 0; place < infos.size(); ++place) {
    const ParameterInfo& info = infos[place];
    const float* data = info.name == "classifier.weight" ? head.weight.data()
                        : info.name == "classifier.bias" ? head.bias.data()
                                                         : nullptr;
    if (data == nullptr) {
      values.emplace_back(static_cast<size_t>(info.count()));
      if (!file.read(place, values.back().data()))
        throw Failure("TENSOR_MISSING", info.name + " is missing in " + from);
      data = values.back().data();
    }
    tensors.push_back({info.name, info.sizes(), data});
  }
  files::write_safetensors(to, tensors, {{"format", "pt"}});
}

}  // namespace distiltune::model
