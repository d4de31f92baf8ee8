#pragma once
#include <napi.h>

#include "../node/jobs.h"

namespace distiltune::base {

/** What this addon keeps for one environment (the main thread or a worker). */
struct Instance {
  explicit Instance(Napi::Env env) : jobs(env), text_jobs(env, node::Thread::texts) {}

  node::Jobs jobs;
  node::Jobs text_jobs;
};

inline node::Jobs& jobs(Napi::Env env) { return env.GetInstanceData<Instance>()->jobs; }
inline node::Jobs& text_jobs(Napi::Env env) { return env.GetInstanceData<Instance>()->text_jobs; }

}  // namespace distiltune::base
