#pragma once
#include <cstdint>
#include <vector>

#include "../ops/ops.h"

namespace distiltune::engine {

enum class LossKind { single_label, multi_label, regression };

/** interface LossOptions in lib/runtime/native.ts. */
struct LossOptions {
  LossKind kind = LossKind::single_label;
  double label_smoothing = 0;
  std::vector<double> class_weights;  // none: all 1
  double focal_gamma = 0;             // 0: plain cross entropy
};

/** Throws LOSS_INVALID where options do not go together, or not with the number of outputs. */
void check(const LossOptions& options, int64_t outputs);

/** Class of a row that is left out of the mean (torch's ignore_index). */
constexpr int32_t ignored_class = -100;

/** What rows should be. */
struct Labels {
  const int32_t* classes = nullptr;  // (rows), for single_label: below `outputs`, or ignored_class
  const float* values = nullptr;     // (rows, outputs), for the other kinds
};

/**
 * Mean loss of logits (rows, outputs), in double; no number where no row counts. dlogits, which may be
 * logits, becomes its gradient times `scale`. With p = softmax(logits), t the class of a row and C classes:
 *
 * - single_label: mean of -log p[t] over the rows that count.
 * - Label smoothing e (torch's cross_entropy, Transformers' LabelSmoother):
 *   (1 - e) * -log p[t] + e / C * sum of -log p[c].
 * - Class weights (torch): w[t] and w[c] before each log, the whole divided by the sum of w[t].
 * - Focal (Lin et al., arXiv 1708.02002, without its class weight): (1 - p[t])^gamma * -log p[t].
 * - multi_label (torch's BCEWithLogitsLoss): mean over all cells of max(x, 0) - x * z + log(1 + exp(-|x|)).
 * - regression: mean over all cells of (x - z)^2.
 */
double mean_loss(const LossOptions& options, View logits, const Labels& labels, double scale, View dlogits);

}  // namespace distiltune::engine
