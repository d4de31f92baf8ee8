#include "save.h"

#include <algorithm>
#include <cstdint>
#include <deque>
#include <optional>
#include <utility>
#include <vector>

#include "../failure.h"
#include "../files/safetensors.h"
#include "narrow.h"
#include "weights.h"

namespace distiltune::model {
namespace {

/** The tensors of a file to be written, and what they hold. */
class Tensors {
 public:
  explicit Tensors(const WeightsFile& file) : file_(file) {}

  void add(const ParameterInfo& info, const std::vector<float>& values) {
    list_.push_back({info.name, info.sizes(), values.data()});
  }

  void add_floats(const ParameterInfo& info, size_t place) {
    add(info, floats_.emplace_back(read(info, place)));
  }

  void add_bf16(const ParameterInfo& info, size_t place) {
    const std::vector<float> values = read(info, place);
    std::vector<uint16_t>& halves = halves_.emplace_back(values.size());
    round_to_bf16(values.data(), info.count(), halves.data());
    list_.push_back({info.name, info.sizes(), nullptr, nullptr, halves.data()});
  }

  void add_int8(const ParameterInfo& info, size_t place, Rule rule) {
    std::vector<float>& scales = floats_.emplace_back(static_cast<size_t>(info.rows));
    std::vector<int8_t>& q = bytes_.emplace_back(static_cast<size_t>(info.count()));
    if (!file_.read_int8(place, q.data(), scales.data()) || !keeps(rule, info, q.data()))
      quantise(rule, info, read(info, place).data(), q.data(), scales.data());
    list_.push_back({info.name, info.sizes(), nullptr, q.data()});
    list_.push_back({info.name + "_scale", {static_cast<uint64_t>(info.rows)}, scales.data()});
  }

  const std::vector<files::FloatTensor>& list() const { return list_; }

 private:
  std::vector<float> read(const ParameterInfo& info, size_t place) const {
    std::vector<float> values(static_cast<size_t>(info.count()));
    if (!file_.read(place, values.data()))
      throw Failure("TENSOR_MISSING", info.name + " is missing in " + file_.path());
    return values;
  }

  const WeightsFile& file_;
  std::deque<std::vector<float>> floats_;  // deques, whose elements stay where they are
  std::deque<std::vector<uint16_t>> halves_;
  std::deque<std::vector<int8_t>> bytes_;
  std::vector<files::FloatTensor> list_;
};

}  // namespace

void save_weights(const std::string& from, const Shape& shape, const Head& head, Dtype dtype,
                  const std::string& to) {
  const WeightsFile file(from, shape);
  check(head, shape.labels, shape.dim);
  const std::vector<ParameterInfo> infos = parameters(shape);
  Tensors tensors(file);
  for (size_t place = 0; place < infos.size(); ++place) {
    const ParameterInfo& info = infos[place];
    const std::optional<Rule> rule = narrow_rule(info);
    if (info.name == "classifier.weight" || info.name == "classifier.bias")
      tensors.add(info, info.cols > 0 ? head.weight : head.bias);
    else if (!rule || dtype == Dtype::fp32)
      tensors.add_floats(info, place);
    else if (dtype == Dtype::bf16)
      tensors.add_bf16(info, place);
    else
      tensors.add_int8(info, place, *rule);
  }
  // Transformers reads files of format "pt" alone, and is not to read 8-bit numbers as weights.
  files::write_safetensors(to, tensors.list(), {{"format", dtype == Dtype::int8 ? "distiltune-int8" : "pt"}});
}

Dtype stored_dtype(const std::string& path, const Shape& shape) {
  const WeightsFile file(path, shape);
  const std::vector<ParameterInfo> infos = parameters(shape);
  const auto all = [&](const std::string& element) {
    for (size_t place = 0; place < infos.size(); ++place)
      if (narrow_rule(infos[place]) && file.element(place) != element) return false;
    return true;
  };
  return all("I8") ? Dtype::int8 : all("BF16") ? Dtype::bf16 : Dtype::fp32;
}

}  // namespace distiltune::model
