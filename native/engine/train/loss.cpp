#include "loss.h"

#include <algorithm>
#include <cmath>

namespace distiltune::engine {

namespace {

template <class Value>
double row_loss(const Value* logits, int32_t wanted, int64_t labels, double scale, Value* dlogits) {
  const double largest = *std::max_element(logits, logits + labels);
  double sum = 0;
  for (int64_t label = 0; label < labels; ++label) sum += std::exp(logits[label] - largest);
  const double loss = largest + std::log(sum) - logits[wanted];
  for (int64_t label = 0; label < labels; ++label) {
    const double probability = std::exp(logits[label] - largest) / sum;
    dlogits[label] = static_cast<Value>((probability - (label == wanted ? 1 : 0)) * scale);
  }
  return loss;
}

template <class Value>
double mean_loss(View logits, const int32_t* classes, double scale, View dlogits) {
  double sum = 0;
  for (int64_t row = 0; row < logits.rows; ++row) {
    sum += row_loss(static_cast<const Value*>(logits.data) + row * logits.stride, classes[row], logits.cols,
                    scale / logits.rows, static_cast<Value*>(dlogits.data) + row * dlogits.stride);
  }
  return sum / logits.rows;
}

}  // namespace

double cross_entropy(View logits, const int32_t* classes, double scale, View dlogits) {
  return logits.dtype == DType::f32 ? mean_loss<float>(logits, classes, scale, dlogits)
                                    : mean_loss<double>(logits, classes, scale, dlogits);
}

}  // namespace distiltune::engine
