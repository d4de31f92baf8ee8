#pragma once
#include <memory>
#include <string>
#include <vector>

#include "../../kernels/thread_pool.h"
#include "../../model/weights.h"
#include "../../node/jobs.h"
#include "../train/training.h"
#include "convert.h"

namespace distiltune::engine {

/** All that a session owns off the JavaScript thread. */
struct Core {
  /** Throws MODEL_SHAPE_INVALID, LOSS_INVALID and what model::load_weights throws. */
  explicit Core(const SessionOptions& options);

  model::Shape shape;
  kernels::ThreadPool pool;
  std::unique_ptr<Ops> ops;
  std::vector<model::ParameterInfo> infos;
  LossKind loss;
  Training training;
  model::Loaded loaded;
};

// The calls of interface NativeSession in lib/runtime/native.ts, on the native thread. Batches are checked
// here.

node::Jobs::Finish step(Core& core, const std::vector<OwnedBatch>& batches, double learning_rate,
                        double divisor, const Cancelled& cancelled);
node::Jobs::Finish accumulate(Core& core, const std::vector<OwnedBatch>& batches, double divisor,
                              const Cancelled& cancelled);
node::Jobs::Finish logits(Core& core, const OwnedBatch& batch, const Cancelled& cancelled);
node::Jobs::Finish parameter(Core& core, const std::string& name);
node::Jobs::Finish gradient(Core& core, const std::string& name);
node::Jobs::Finish moments(Core& core, const std::string& name);
node::Jobs::Finish save_weights(Core& core, const std::string& path);
node::Jobs::Finish save_state(Core& core, const std::string& path);
node::Jobs::Finish load_state(Core& core, const std::string& path, const Counters& counters);

}  // namespace distiltune::engine
