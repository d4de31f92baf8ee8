#include "tensors.h"

#include <memory>
#include <string>

#include "../failure.h"
#include "../files/tensor_source.h"
#include "../node/error.h"

namespace distiltune::base {
namespace {

using files::TensorInfo;
using Source = std::shared_ptr<const files::TensorSource>;

Napi::Object to_object(Napi::Env env, const TensorInfo& tensor) {
  auto shape = Napi::Array::New(env, tensor.shape.size());
  for (uint32_t axis = 0; axis < shape.Length(); ++axis)
    shape.Set(axis, static_cast<double>(tensor.shape[axis]));
  auto object = Napi::Object::New(env);
  object.Set("name", tensor.name);
  object.Set("dtype", tensor.dtype);
  object.Set("shape", shape);
  return object;
}

Napi::Value read(const Napi::CallbackInfo& info, const Source& source) {
  const Napi::Env env = info.Env();
  const int64_t place = info[0].ToNumber().Int64Value();
  return node::guard(env, [&] {
    if (place < 0 || static_cast<size_t>(place) >= source->tensors().size())
      throw Failure("TENSOR_MISSING",
                    "Expected the place of a tensor in " + source->path() + ", got " + std::to_string(place));
    const TensorInfo& tensor = source->tensors()[static_cast<size_t>(place)];
    files::require_float(tensor, source->path());
    auto values = Napi::Float32Array::New(env, static_cast<size_t>(tensor.count));
    source->read(static_cast<size_t>(place), values.Data());
    return values;
  });
}

Napi::Value open_tensors(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::string path = info[0].ToString();
  return node::guard(env, [&] {
    const Source source = files::open_tensors(path);
    auto tensors = Napi::Array::New(env, source->tensors().size());
    for (uint32_t i = 0; i < tensors.Length(); ++i) tensors.Set(i, to_object(env, source->tensors()[i]));
    auto opened = Napi::Object::New(env);
    opened.Set("tensors", tensors);
    opened.Set("read",
               Napi::Function::New(
                   env, [source](const Napi::CallbackInfo& call) { return read(call, source); }, "read"));
    return opened;
  });
}

}  // namespace

void export_tensors(Napi::Env env, Napi::Object exports) {
  exports.Set("openTensors", Napi::Function::New(env, open_tensors, "openTensors"));
}

}  // namespace distiltune::base
