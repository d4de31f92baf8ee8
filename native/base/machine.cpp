#include "machine.h"

#include "../kernels/cpu_features.h"
#include "../kernels/random.h"

namespace distiltune::base {
namespace {

Napi::Value cpu(const Napi::CallbackInfo& info) {
  auto result = Napi::Object::New(info.Env());
  result.Set("isa", kernels::name(kernels::isa()));
  result.Set("cores", kernels::usable_cores());
  return result;
}

Napi::Value permutation(const Napi::CallbackInfo& info) {
  const auto seed = static_cast<uint64_t>(info[0].As<Napi::Number>().Int64Value());
  const auto count = static_cast<size_t>(info[1].As<Napi::Number>().Int64Value());
  auto order = Napi::Int32Array::New(info.Env(), count);
  kernels::Generator generator(seed);
  kernels::permutation(generator, order.Data(), static_cast<int64_t>(count));
  return order;
}

}  // namespace

void export_machine(Napi::Env env, Napi::Object exports) {
  exports.Set("cpu", Napi::Function::New(env, cpu, "cpu"));
  exports.Set("permutation", Napi::Function::New(env, permutation, "permutation"));
}

}  // namespace distiltune::base
