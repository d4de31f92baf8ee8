#include "session.h"

#include <exception>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "../../failure.h"
#include "../../node/convert.h"
#include "../../node/error.h"
#include "convert.h"
#include "core.h"

namespace distiltune::engine {

namespace {

/** `busy` and `closed` belong to the JavaScript thread, `core` to the native one, which alone frees it. */
struct State {
  bool busy = false;
  bool closed = false;
  std::unique_ptr<Core> core;
};

/** What this addon keeps for one environment. */
struct Instance {
  explicit Instance(Napi::Env env) : jobs(env) {}

  node::Jobs jobs;
  Napi::FunctionReference session;
};

Instance& instance(Napi::Env env) { return *env.GetInstanceData<Instance>(); }

double to_double(const Napi::Value& value) { return value.ToNumber().DoubleValue(); }

Napi::Value to_strings(Napi::Env env, const std::vector<std::string>& strings) {
  auto list = Napi::Array::New(env, strings.size());
  for (uint32_t index = 0; index < list.Length(); ++index) list.Set(index, strings[index]);
  return list;
}

/** Runs body(core, cancelled); whether it threw or not, the JavaScript thread then finds the session free. */
template <class Body>
node::Jobs::Work unbusy(std::shared_ptr<State> state, Body body) {
  return [state, body = std::move(body)](const node::Cancelled& cancelled) -> node::Jobs::Finish {
    node::Jobs::Finish finish;
    std::exception_ptr failure;
    try {
      finish = body(*state->core, cancelled);
    } catch (...) {
      failure = std::current_exception();
    }
    return [state, finish = std::move(finish), failure](Napi::Env env) -> Napi::Value {
      state->busy = false;
      if (failure) std::rethrow_exception(failure);
      return finish(env);
    };
  };
}

/** interface NativeSession in lib/runtime/native.ts. */
class Session : public Napi::ObjectWrap<Session> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(
        env, "Session",
        {InstanceMethod("step", &Session::step_), InstanceMethod("accumulate", &Session::accumulate_),
         InstanceMethod("logits", &Session::logits_), InstanceMethod("parameter", &Session::named<parameter>),
         InstanceMethod("gradient", &Session::named<gradient>),
         InstanceMethod("moments", &Session::named<moments>),
         InstanceMethod("saveWeights", &Session::named<save_weights>),
         InstanceMethod("saveState", &Session::named<save_state>),
         InstanceMethod("loadState", &Session::load_state_), InstanceMethod("close", &Session::close_)});
  }

  /** Constructed by openSession alone, around the state that its job has made. */
  explicit Session(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Session>(info) {
    if (!info[0].IsExternal()) throw Napi::TypeError::New(info.Env(), "Sessions are opened with openSession");
    state_ = *info[0].As<Napi::External<std::shared_ptr<State>>>().Data();
    info.This().ToObject().Set("initialized", to_strings(info.Env(), state_->core->loaded.initialized));
    info.This().ToObject().Set("ignored", to_strings(info.Env(), state_->core->loaded.ignored));
  }

 private:
  /** Converts the arguments, then queues body(core, cancelled); whatever is refused rejects the promise. */
  template <class Convert>
  Napi::Value call(const Napi::CallbackInfo& info, Convert convert) {
    const Napi::Env env = info.Env();
    try {
      if (state_->closed) throw Failure("SESSION_CLOSED", "This session is closed");
      if (state_->busy) {
        throw Failure("SESSION_BUSY", "This session is still at work on an earlier call",
                      "Await each call first");
      }
      auto work = unbusy(state_, convert());
      const Napi::Promise promise = instance(env).jobs.queue(env, std::move(work));
      state_->busy = true;
      return promise;
    } catch (const Failure& failure) {
      return node::rejected(env, failure);
    }
  }

  Napi::Value step_(const Napi::CallbackInfo& info) {
    return call(info, [&] {
      std::vector<OwnedBatch> batches = to_batches(info[0]);
      const double divisor = info[2].IsUndefined() ? static_cast<double>(batches.size()) : to_double(info[2]);
      return [batches = std::move(batches), rate = to_double(info[1]), divisor](Core& core,
                                                                                const Cancelled& cancelled) {
        return step(core, batches, rate, divisor, cancelled);
      };
    });
  }

  Napi::Value accumulate_(const Napi::CallbackInfo& info) {
    return call(info, [&] {
      return [batches = to_batches(info[0]), divisor = to_double(info[1])](Core& core,
                                                                           const Cancelled& cancelled) {
        return accumulate(core, batches, divisor, cancelled);
      };
    });
  }

  Napi::Value logits_(const Napi::CallbackInfo& info) {
    return call(info, [&] {
      return [batch = to_batch(info[0])](Core& core, const Cancelled& cancelled) {
        return logits(core, batch, cancelled);
      };
    });
  }

  /** A call whose one argument is the name of a parameter or of a file. */
  template <node::Jobs::Finish (*of)(Core&, const std::string&)>
  Napi::Value named(const Napi::CallbackInfo& info) {
    return call(info, [&] {
      return [name = info[0].ToString().Utf8Value()](Core& core, const Cancelled&) { return of(core, name); };
    });
  }

  Napi::Value load_state_(const Napi::CallbackInfo& info) {
    return call(info, [&] {
      return [path = info[0].ToString().Utf8Value(), counters = to_counters(info[1])](
                 Core& core, const Cancelled&) { return load_state(core, path, counters); };
    });
  }

  /** Queued behind a running call, so it waits for that. */
  Napi::Value close_(const Napi::CallbackInfo& info) {
    state_->closed = true;
    return instance(info.Env()).jobs.queue(info.Env(), [state = state_](const node::Cancelled&) {
      state->core.reset();
      return node::finish_undefined();
    });
  }

  std::shared_ptr<State> state_;
};

Napi::Value open_session(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return node::guard(env, [&]() -> Napi::Value {
    return instance(env).jobs.queue(env, [options = to_session_options(info[0])](const node::Cancelled&) {
      auto state = std::make_shared<State>();
      state->core = std::make_unique<Core>(options);
      return node::Jobs::Finish([state](Napi::Env env) mutable -> Napi::Value {
        return instance(env).session.New({Napi::External<std::shared_ptr<State>>::New(env, &state)});
      });
    });
  });
}

}  // namespace

void export_session(Napi::Env env, Napi::Object exports) {
  auto* const data = new Instance(env);
  env.SetInstanceData(data);
  data->session = Napi::Persistent(Session::define(env));
  exports.Set("openSession", Napi::Function::New(env, open_session, "openSession"));
}

}  // namespace distiltune::engine
