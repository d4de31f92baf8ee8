#pragma once
#include <napi.h>

#include <algorithm>
#include <string>
#include <vector>

#include "../failure.h"
#include "../model/head.h"

namespace distiltune::base {

/** A copy of object[key], so that a job may read it off the JavaScript thread. Throws HEAD_INVALID. */
inline std::vector<float> to_floats(const Napi::Object& object, const char* key) {
  const Napi::Value value = object.Get(key);
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_float32_array)
    throw Failure("HEAD_INVALID", std::string("Expected `") + key + "` to be a Float32Array");
  const auto array = value.As<Napi::Float32Array>();
  return {array.Data(), array.Data() + array.ElementLength()};
}

/** interface Head in lib/runtime/native.ts */
inline model::Head to_head(const Napi::Object& head) {
  return {to_floats(head, "weight"), to_floats(head, "bias")};
}

inline Napi::Object from_head(Napi::Env env, const model::Head& head) {
  const auto array = [&](const std::vector<float>& values) {
    auto copy = Napi::Float32Array::New(env, values.size());
    std::copy(values.begin(), values.end(), copy.Data());
    return copy;
  };
  auto object = Napi::Object::New(env);
  object.Set("weight", array(head.weight));
  object.Set("bias", array(head.bias));
  return object;
}

}  // namespace distiltune::base
