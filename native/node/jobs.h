#pragma once
#include <napi.h>

#include <atomic>
#include <functional>
#include <memory>

namespace distiltune::node {

/** Set when the environment that asked is going away; long work looks at it now and then and throws. */
using Cancelled = std::atomic<bool>;

/** The native threads of an addon: texts are encoded while a batch is under way, so that they can be in the
 * next. */
enum class Thread { arithmetic, texts };

/**
 * Jobs of one environment (the main thread or a worker), run one after another on one native thread of the
 * addon, in the order they were asked for; each settles one promise. The thread is shared by all
 * environments of the process, started by the first job and joined when the last environment leaves. A
 * pending job keeps the event loop alive, an idle queue does not. When an environment is torn down its
 * waiting jobs are dropped, its running one is cancelled and waited for.
 *
 * Make one per environment and thread and keep it in the instance data.
 */
class Jobs {
 public:
  /** Called back on the JavaScript thread with a handle scope open; its value resolves the promise. */
  using Finish = std::function<Napi::Value(Napi::Env)>;
  /** Runs and is destroyed on the native thread: it may hold no Napi reference. Returns what is to be done
   * with its result. */
  using Work = std::function<Finish(const Cancelled&)>;

  explicit Jobs(Napi::Env env, Thread thread = Thread::arithmetic);
  ~Jobs();
  Jobs(const Jobs&) = delete;
  Jobs& operator=(const Jobs&) = delete;

  Napi::Promise queue(Napi::Env env, Work work);

 private:
  struct Environment;
  std::shared_ptr<Environment> environment_;
};

}  // namespace distiltune::node
