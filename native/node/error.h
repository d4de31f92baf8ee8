#pragma once
#include <napi.h>

#include <exception>
#include <new>

#include "../failure.h"

namespace distiltune::node {

/** The JavaScript error for a C++ exception: `code` and, where there is one, `hint`. */
inline Napi::Error to_error(Napi::Env env, const std::exception& failure) {
  const auto* known = dynamic_cast<const Failure*>(&failure);
  const bool memory = dynamic_cast<const std::bad_alloc*>(&failure) != nullptr;
  Napi::Error error = Napi::Error::New(env, memory ? "Memory ran out in native code" : failure.what());
  error.Set("code", Napi::String::New(env, known    ? known->code
                                           : memory ? "OUT_OF_MEMORY"
                                                    : "NATIVE_FAILURE"));
  if (known && !known->hint.empty()) error.Set("hint", Napi::String::New(env, known->hint));
  return error;
}

/** Runs `body` on the JavaScript thread; what it throws becomes a JavaScript exception. */
template <class Body>
auto guard(Napi::Env env, Body body) -> decltype(body()) {
  try {
    return body();
  } catch (const Napi::Error&) {
    throw;
  } catch (const std::exception& failure) {
    throw to_error(env, failure);
  }
}

}  // namespace distiltune::node
