#include "parameters.h"

#include <algorithm>
#include <cstring>

namespace distiltune::engine {

namespace {

/** `views` in the order of model::parameters, by name. */
Parameters named(const std::vector<View>& views, int64_t layers) {
  auto next = views.begin();
  const auto linear = [&] {
    const View weight = *next++;
    return Linear{weight, *next++};
  };
  const auto layer_norm = [&] {
    const View weight = *next++;
    return LayerNorm{weight, *next++};
  };
  Parameters out;
  out.word_embeddings = *next++;
  out.position_embeddings = *next++;
  out.embeddings_layer_norm = layer_norm();
  for (int64_t index = 0; index < layers; ++index) {
    Layer layer;
    for (Linear* each : {&layer.q_lin, &layer.k_lin, &layer.v_lin, &layer.out_lin}) *each = linear();
    layer.sa_layer_norm = layer_norm();
    for (Linear* each : {&layer.lin1, &layer.lin2}) *each = linear();
    layer.output_layer_norm = layer_norm();
    out.layers.push_back(layer);
  }
  out.pre_classifier = linear();
  out.classifier = linear();
  return out;
}

}  // namespace

ParameterStore::ParameterStore(const model::Shape& shape, DType dtype, WordTable word_table, size_t frozen) {
  const std::vector<model::ParameterInfo> infos = model::parameters(shape);
  const int64_t word_count = word_table == WordTable::kept && frozen == 0 ? infos.front().count() : 0;
  int64_t decayed_count = 0;
  int64_t spared_count = 0;
  for (size_t index = std::max<size_t>(1, frozen); index < infos.size(); ++index) {
    (infos[index].decay ? decayed_count : spared_count) += infos[index].count();
  }
  buffer_ = Buffer((word_count + decayed_count + spared_count) * size_of(dtype));

  char* at = static_cast<char*>(buffer_.data());
  const auto take = [&](int64_t rows, int64_t cols) {
    const View view{at, dtype, rows, cols, cols};
    at += view.count() * size_of(dtype);
    return view;
  };
  views_.push_back(word_count > 0 ? take(infos.front().rows, infos.front().cols) : View{});
  decayed_ = take(1, decayed_count);
  spared_ = take(1, spared_count);

  char* decayed = static_cast<char*>(decayed_.data);
  char* spared = static_cast<char*>(spared_.data);
  for (size_t index = 1; index < infos.size(); ++index) {
    if (index < frozen) {
      views_.push_back(View{});
      continue;
    }
    const model::ParameterInfo& info = infos[index];
    const bool vector = info.cols == 0;
    at = info.decay ? decayed : spared;
    views_.push_back(take(vector ? 1 : info.rows, vector ? info.rows : info.cols));
    (info.decay ? decayed : spared) = at;
  }
  parameters_ = named(views_, shape.layers);
  clear();
}

void ParameterStore::clear() { std::memset(buffer_.data(), 0, buffer_.bytes()); }

}  // namespace distiltune::engine
