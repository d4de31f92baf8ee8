#pragma once
#include <napi.h>

#include <cstdint>
#include <string>
#include <vector>

#include "../../model/shape.h"
#include "../distilbert.h"
#include "../ops/cpu.h"
#include "../train/head.h"
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
  HeadDraws head_draws;
  LossOptions loss;
  OptimizerOptions optimizer;
  Frozen frozen;
  int threads;
  OpsKind ops;
  Precision precision;
};

/** interface RaggedBatch, copied, so that a job may read it off the JavaScript thread. */
struct OwnedBatch {
  std::vector<int32_t> ids, offsets;
  std::vector<int32_t> classes;  // labels of one kind or the other, or of none
  std::vector<float> values;

  Labels labels() const { return {classes.data(), values.data()}; }
  Batch rows() const { return {ids.data(), offsets.data(), static_cast<int64_t>(offsets.size()) - 1}; }
};

// These run on the JavaScript thread and throw Failure or Napi::Error.

SessionOptions to_session_options(const Napi::Value& value);
std::vector<OwnedBatch> to_batches(const Napi::Value& value);
OwnedBatch to_batch(const Napi::Value& value);
/** interface Counters in lib/runtime/native.ts, both ways. */
Counters to_counters(const Napi::Value& value);
Napi::Value from_counters(Napi::Env env, const Counters& counters);

/** Beyond model::check(Batch): labels of the kind, in the number and in the range that the loss takes. Throws
 * BATCH_INVALID. */
void check_labels(const OwnedBatch& batch, LossKind kind, int64_t outputs);

}  // namespace distiltune::engine
