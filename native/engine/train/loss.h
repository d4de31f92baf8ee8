#pragma once
#include <cstdint>

#include "../ops/ops.h"

namespace distiltune::engine {

/**
 * Softmax cross entropy of logits (rows, labels) against one class index per row, averaged over rows, in
 * double. dlogits (rows, labels), which may be logits, becomes its gradient times `scale`.
 */
double cross_entropy(View logits, const int32_t* classes, double scale, View dlogits);

}  // namespace distiltune::engine
