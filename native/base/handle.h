#pragma once
#include <napi.h>

#include <initializer_list>
#include <memory>
#include <utility>

#include "../failure.h"
#include "../node/convert.h"
#include "instance.h"

namespace distiltune::base {

/** A native object that JavaScript holds and closes. `open` belongs to the JavaScript thread, `object` to the
 * native one. */
template <class Object>
struct Handle {
  bool open = true;
  std::unique_ptr<Object> object;
};
template <class Object>
using Shared = std::shared_ptr<Handle<Object>>;
template <class Object>
using Method = Napi::Value (*)(const Napi::CallbackInfo&, const Shared<Object>&);

/** What JavaScript gets: an object with these methods and `close`. */
template <class Object>
Napi::Object to_javascript(Napi::Env env, const Shared<Object>& handle,
                           std::initializer_list<std::pair<const char*, Method<Object>>> methods) {
  auto result = Napi::Object::New(env);
  const auto set = [&](const char* name, Method<Object> method) {
    result.Set(
        name,
        Napi::Function::New(
            env, [handle, method](const Napi::CallbackInfo& info) { return method(info, handle); }, name));
  };
  for (const auto& [name, method] : methods) set(name, method);
  set("close", [](const Napi::CallbackInfo& info, const Shared<Object>& handle) -> Napi::Value {
    handle->open = false;
    return jobs(info.Env()).queue(info.Env(), [handle](const node::Cancelled&) -> node::Jobs::Finish {
      handle->object.reset();
      return node::finish_undefined();
    });
  });
  return result;
}

/** Queues what `work` makes of the call's arguments, a Jobs::Work; a Failure rejects the promise. */
template <class Object, class Work>
Napi::Value queue(const Napi::CallbackInfo& info, const Shared<Object>& handle, const Failure& closed,
                  const Work& work) {
  try {
    if (!handle->open) throw closed;
    return jobs(info.Env()).queue(info.Env(), work());
  } catch (const Failure& failure) {
    return node::rejected(info.Env(), failure);
  }
}

}  // namespace distiltune::base
