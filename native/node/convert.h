#pragma once
#include <napi.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "../failure.h"
#include "../model/shape.h"
#include "error.h"
#include "jobs.h"

// Values of lib/runtime/native.ts that both addons take or give.

namespace distiltune::node {

inline int64_t integer(const Napi::Object& object, const char* key) {
  return object.Get(key).ToNumber().Int64Value();
}

/** interface ModelShape; model::check() looks at the numbers. */
inline model::Shape to_shape(const Napi::Object& shape) {
  const bool relu = shape.Get("activation").ToString().Utf8Value() == "relu";
  return {integer(shape, "vocabSize"), integer(shape, "maxPositions"),
          integer(shape, "layers"),    integer(shape, "heads"),
          integer(shape, "dim"),       integer(shape, "hiddenDim"),
          integer(shape, "labels"),    relu ? model::Activation::relu : model::Activation::gelu};
}

/** A copy of batch[key], so that a job may read it off the JavaScript thread. Throws BATCH_INVALID. */
inline std::vector<int32_t> to_vector(const Napi::Object& batch, const char* key) {
  const Napi::Value value = batch.Get(key);
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_int32_array) {
    throw Failure("BATCH_INVALID", std::string("Expected `") + key + "` to be an Int32Array");
  }
  const auto array = value.As<Napi::Int32Array>();
  return {array.Data(), array.Data() + array.ElementLength()};
}

/** Resolves with a copy of `values`. */
template <class Array, class Value>
Jobs::Finish finish_with(std::vector<Value> values) {
  return [values = std::move(values)](Napi::Env env) -> Napi::Value {
    auto array = Array::New(env, values.size());
    std::copy(values.begin(), values.end(), array.Data());
    return array;
  };
}

inline Jobs::Finish finish_undefined() {
  return [](Napi::Env env) -> Napi::Value { return env.Undefined(); };
}

inline Napi::Promise rejected(Napi::Env env, const Failure& failure) {
  const auto deferred = Napi::Promise::Deferred::New(env);
  deferred.Reject(to_error(env, failure).Value());
  return deferred.Promise();
}

}  // namespace distiltune::node
