#pragma once
#include <napi.h>

#include <cstdint>
#include <string>
#include <vector>

#include "../../model/shape.h"
#include "../distilbert.h"
#include "../train/training.h"

namespace distiltune::engine {

enum class OpsKind { cpu, aten };

/** interface SessionOptions in lib/runtime/native.ts. */
struct SessionOptions {
  std::string weights;
  model::Shape shape;
  DropoutRates rates;
  double initializer_range;
  uint64_t seed;
  OptimizerOptions optimizer;
  int threads;
  OpsKind ops;
};

/** interface RaggedBatch, copied, so that a job may read it off the JavaScript thread. */
struct OwnedBatch {
  std::vector<int32_t> ids, offsets, classes;  // classes is empty where there are none

  Batch rows() const { return {ids.data(), offsets.data(), static_cast<int64_t>(offsets.size()) - 1}; }
};

// These run on the JavaScript thread and throw Failure or Napi::Error.

SessionOptions to_session_options(const Napi::Value& value);
std::vector<OwnedBatch> to_batches(const Napi::Value& value);
OwnedBatch to_batch(const Napi::Value& value);

/** Beyond model::check(Batch): one class below `labels` for each row. Throws BATCH_INVALID. */
void check_classes(const OwnedBatch& batch, int64_t labels);

}  // namespace distiltune::engine
