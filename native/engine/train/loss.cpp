#include "loss.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>

#include "../../failure.h"

namespace distiltune::engine {

namespace {

using Row = std::vector<double>;

template <class Value>
void load(View from, int64_t row, Row& to) {
  const Value* const values = static_cast<const Value*>(from.data) + row * from.stride;
  std::copy_n(values, from.cols, to.begin());
}

template <class Value>
void store(const Row& from, View to, int64_t row) {
  Value* const values = static_cast<Value*>(to.data) + row * to.stride;
  std::transform(from.begin(), from.end(), values, [](double value) { return static_cast<Value>(value); });
}

/** body(row, values): the row's logits, in whose place it leaves their gradient. Returns the sum of what it
 * returns. */
template <class Body>
double sum_over_rows(View logits, View dlogits, Body body) {
  const bool single = logits.dtype == DType::f32;
  Row values(logits.cols);
  double sum = 0;
  for (int64_t row = 0; row < logits.rows; ++row) {
    single ? load<float>(logits, row, values) : load<double>(logits, row, values);
    sum += body(row, values);
    single ? store<float>(values, dlogits, row) : store<double>(values, dlogits, row);
  }
  return sum;
}

void negative_log_softmax(Row& values) {
  const double largest = *std::max_element(values.begin(), values.end());
  double sum = 0;
  for (const double value : values) sum += std::exp(value - largest);
  const double rest = std::log(sum);
  for (double& value : values) value = largest - value + rest;
}

/** What (1 - p)^gamma makes of a row's loss and of its slope along log p, where `others` is 1 - p. */
struct Focus {
  double loss = 1, slope = 1;

  Focus(double gamma, double nll, double others) {
    if (gamma == 0) return;
    loss = std::pow(others, gamma);
    // The second term goes to 0 with `others`, but as 0 times infinity where gamma is below 1.
    slope = others == 0 ? 0 : loss + gamma * std::pow(others, gamma - 1) * std::exp(-nll) * nll;
  }
};

double cross_entropy(const LossOptions& options, View logits, const int32_t* classes, double scale,
                     View dlogits) {
  const int64_t outputs = logits.cols;
  const auto weight = [&](int64_t c) { return options.class_weights.empty() ? 1 : options.class_weights[c]; };
  double divisor = 0;
  for (int64_t row = 0; row < logits.rows; ++row) {
    if (classes[row] != ignored_class) divisor += weight(classes[row]);
  }
  const double spread = options.label_smoothing / static_cast<double>(outputs);
  Row shares(outputs);  // what each -log p counts
  const double sum = sum_over_rows(logits, dlogits, [&](int64_t row, Row& values) {
    const int32_t wanted = classes[row];
    if (wanted == ignored_class) {
      std::fill(values.begin(), values.end(), 0.0);
      return 0.0;
    }
    for (int64_t c = 0; c < outputs; ++c) shares[c] = spread * weight(c);
    shares[wanted] += (1 - options.label_smoothing) * weight(wanted);
    const double total = std::accumulate(shares.begin(), shares.end(), 0.0);

    negative_log_softmax(values);
    const double loss = std::inner_product(shares.begin(), shares.end(), values.begin(), 0.0);
    const double nll = values[wanted];
    double others = 0;  // summed, for 1 - p would lose all digits of a row that is nearly right
    for (int64_t c = 0; c < outputs; ++c) {
      values[c] = std::exp(-values[c]);
      if (c != wanted) others += values[c];
    }
    const Focus focus(options.focal_gamma, nll, others);
    for (int64_t c = 0; c < outputs; ++c) {
      values[c] = (total * values[c] - shares[c]) * focus.slope * scale / divisor;
    }
    return loss * focus.loss;
  });
  return sum / divisor;
}

/** cell(x, z) returns a cell's loss and leaves its slope in x. */
template <class Cell>
double mean_over_cells(View logits, const float* wanted, double scale, View dlogits, Cell cell) {
  const auto count = static_cast<double>(logits.count());
  const double sum = sum_over_rows(logits, dlogits, [&](int64_t row, Row& values) {
    double loss = 0;
    for (int64_t output = 0; output < logits.cols; ++output) {
      loss += cell(values[output], wanted[row * logits.cols + output]);
      values[output] *= scale / count;
    }
    return loss;
  });
  return sum / count;
}

double binary_cross_entropy(double& x, double z) {
  const double tail = std::exp(-std::fabs(x));  // at most 1, so nothing overflows
  const double loss = std::max(x, 0.0) - x * z + std::log1p(tail);
  x = (x >= 0 ? 1 : tail) / (1 + tail) - z;
  return loss;
}

double squared_error(double& x, double z) {
  const double off = x - z;
  x = 2 * off;
  return off * off;
}

}  // namespace

void check(const LossOptions& options, int64_t outputs) {
  const auto refuse = [](const std::string& reason, const char* hint = "") {
    throw Failure("LOSS_INVALID", reason, hint);
  };
  const double smoothing = options.label_smoothing, gamma = options.focal_gamma;
  const size_t weights = options.class_weights.size();
  if (!(smoothing >= 0 && smoothing <= 1))
    refuse("Expected `labelSmoothing` to be from 0 to 1, got " + std::to_string(smoothing));
  if (!(gamma >= 0 && std::isfinite(gamma)))
    refuse("Expected `focalGamma` to be a number from 0 up, got " + std::to_string(gamma));
  if (weights != 0 && weights != static_cast<size_t>(outputs))
    refuse("Expected one class weight for each of " + std::to_string(outputs) + " classes, got " +
           std::to_string(weights));
  for (const double weight : options.class_weights) {
    if (!(weight >= 0 && std::isfinite(weight)))
      refuse("Expected `classWeights` to be numbers from 0 up, got " + std::to_string(weight));
  }
  if (options.kind != LossKind::single_label && (smoothing > 0 || gamma > 0 || weights > 0))
    refuse("Expected label smoothing, class weights and a focal loss for single labels alone",
           "Leave them out, or train on one label a row");
  if (gamma > 0 && (smoothing > 0 || weights > 0))
    refuse("Expected a focal loss without label smoothing and class weights", "Choose one of them");
}

double mean_loss(const LossOptions& options, View logits, const Labels& labels, double scale, View dlogits) {
  switch (options.kind) {
    case LossKind::multi_label:
      return mean_over_cells(logits, labels.values, scale, dlogits, binary_cross_entropy);
    case LossKind::regression:
      return mean_over_cells(logits, labels.values, scale, dlogits, squared_error);
    default:
      return cross_entropy(options, logits, labels.classes, scale, dlogits);
  }
}

}  // namespace distiltune::engine
