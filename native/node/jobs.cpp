#include "jobs.h"

#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>

#include "error.h"

namespace distiltune::node {

namespace {

/** A job on its way to the native thread, and whose it is. */
struct Task {
  const void* environment;
  std::function<void()> run;
};

/** Never destroyed: a static destructor could run while an environment still leaves. */
class NativeThread {
 public:
  void enter() {
    std::lock_guard lock(mutex_);
    ++environments_;
  }

  void push(Task task) {
    std::lock_guard lock(mutex_);
    if (!thread_.joinable()) {
      stop_ = false;
      thread_ = std::thread([this] { loop(); });
    }
    tasks_.push_back(std::move(task));
    wake_.notify_all();
  }

  /** Drops what `environment` has waiting, waits for what it has running, joins the thread behind the last
   * one. */
  void leave(const void* environment) {
    std::deque<Task> dropped;  // destroyed outside the lock
    std::unique_lock lock(mutex_);
    for (auto task = tasks_.begin(); task != tasks_.end();) {
      if (task->environment == environment) {
        dropped.push_back(std::move(*task));
        task = tasks_.erase(task);
      } else {
        ++task;
      }
    }
    idle_.wait(lock, [&] { return running_ != environment; });
    if (--environments_ > 0 || !thread_.joinable()) return;
    stop_ = true;
    wake_.notify_all();
    std::thread finished = std::move(thread_);
    lock.unlock();
    finished.join();
  }

 private:
  void loop() {
    std::unique_lock lock(mutex_);
    for (;;) {
      wake_.wait(lock, [&] { return stop_ || !tasks_.empty(); });
      if (stop_) return;
      Task task = std::move(tasks_.front());
      tasks_.pop_front();
      running_ = task.environment;
      lock.unlock();
      task.run();
      task.run = nullptr;  // what the job held is freed before its environment is told that it ended
      lock.lock();
      running_ = nullptr;
      idle_.notify_all();
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable idle_;
  std::deque<Task> tasks_;
  const void* running_ = nullptr;  // environment of the running job
  bool stop_ = false;
  int environments_ = 0;
  std::thread thread_;
};

NativeThread& native_thread(Thread which) {
  static auto* const arithmetic = new NativeThread;
  static auto* const texts = new NativeThread;
  return which == Thread::texts ? *texts : *arithmetic;
}

/** What is carried back to the JavaScript thread. */
struct Settlement {
  Napi::Promise::Deferred deferred;
  std::function<void(Napi::Env, const Napi::Promise::Deferred&)> settle;
};

void settle_on_javascript_thread(napi_env raw, napi_value, void*, void* data) {
  const std::unique_ptr<Settlement> settlement(static_cast<Settlement*>(data));
  if (raw == nullptr) return;  // the environment is going away: nobody is left to be told
  const Napi::Env env(raw);
  const Napi::HandleScope scope(env);
  try {
    settlement->settle(env, settlement->deferred);
  } catch (const Napi::Error&) {
    // The environment refuses calls because it is terminating.
  }
}

}  // namespace

struct Jobs::Environment {
  explicit Environment(Thread which) : thread(native_thread(which)) {}

  NativeThread& thread;
  Cancelled cancelled{false};
  napi_threadsafe_function to_javascript = nullptr;
  int64_t pending = 0;  // touched on the JavaScript thread alone
};

Jobs::Jobs(Napi::Env env, Thread thread) : environment_(std::make_shared<Environment>(thread)) {
  const napi_status status = napi_create_threadsafe_function(
      env, nullptr, nullptr, Napi::String::New(env, "distiltune jobs"), 0, 1, nullptr, nullptr, nullptr,
      settle_on_javascript_thread, &environment_->to_javascript);
  if (status != napi_ok) throw Napi::Error::New(env);
  napi_unref_threadsafe_function(env, environment_->to_javascript);
  environment_->thread.enter();
  // Hooks run last first: this one before the thread-safe function's own, so nobody calls it after it is
  // gone.
  env.AddCleanupHook(
      [](std::shared_ptr<Environment>* environment) {
        (*environment)->cancelled = true;
        (*environment)->thread.leave(environment->get());
        delete environment;
      },
      new std::shared_ptr<Environment>(environment_));
}

Jobs::~Jobs() = default;

Napi::Promise Jobs::queue(Napi::Env env, Work work) {
  const auto deferred = Napi::Promise::Deferred::New(env);
  if (environment_->pending++ == 0) napi_ref_threadsafe_function(env, environment_->to_javascript);

  auto run = [environment = environment_, deferred, work = std::move(work)] {
    Finish finish;
    std::exception_ptr failure;
    try {
      finish = work(environment->cancelled);
    } catch (...) {
      failure = std::current_exception();
    }
    auto settle = [environment, finish = std::move(finish), failure](
                      Napi::Env env, const Napi::Promise::Deferred& deferred) {
      if (--environment->pending == 0) napi_unref_threadsafe_function(env, environment->to_javascript);
      try {
        if (failure) std::rethrow_exception(failure);
        deferred.Resolve(finish(env));
      } catch (const Napi::Error& error) {
        deferred.Reject(error.Value());
      } catch (const std::exception& error) {
        deferred.Reject(to_error(env, error).Value());
      }
    };
    auto* settlement = new Settlement{deferred, std::move(settle)};
    if (napi_call_threadsafe_function(environment->to_javascript, settlement, napi_tsfn_nonblocking) !=
        napi_ok) {
      delete settlement;
    }
  };
  environment_->thread.push({environment_.get(), std::move(run)});
  return deferred.Promise();
}

}  // namespace distiltune::node
