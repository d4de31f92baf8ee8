#pragma once
#include <napi.h>

#include "../node/jobs.h"

namespace distiltune::base {

/** What this addon keeps for one environment (the main thread or a worker). */
struct Instance {
  explicit Instance(Napi::Env env) : jobs(env) {}

  node::Jobs jobs;
};

inline node::Jobs& jobs(Napi::Env env) { return env.GetInstanceData<Instance>()->jobs; }

}  // namespace distiltune::base
