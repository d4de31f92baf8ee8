#include "narrow.h"

#include "../kernels/bf16.h"
#include "../kernels/gemm_int8.h"

namespace distiltune::model {

std::optional<Rule> narrow_rule(const ParameterInfo& info) {
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

void round_to_bf16(const float* values, int64_t count, uint16_t* to) {
  for (int64_t i = 0; i < count; ++i) to[i] = static_cast<uint16_t>(kernels::to_bf16(values[i]));
}

}  // namespace distiltune::model
