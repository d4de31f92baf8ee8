#include "machine.h"

#include "../kernels/cpu_features.h"
#include "../kernels/inner_bf16.h"
#include "../kernels/random.h"

namespace distiltune::base {
namespace {

Napi::Value cpu(const Napi::CallbackInfo& info) {
  auto result = Napi::Object::New(info.Env());
  result.Set("isa", kernels::name(kernels::isa()));
  result.Set("int8", kernels::name(kernels::int8_isa()));
  result.Set("cores", kernels::usable_cores());
  result.Set("bf16Isa", kernels::name(kernels::inner_bf16(kernels::bf16_isa()).isa));
  result.Set("bf16", kernels::inner_bf16(kernels::bf16_isa()).isa == kernels::Bf16Isa::avx512_bf16);
  return result;
}

/** A number or a BigInt, cut to 64 bits. */
uint64_t seed_of(Napi::Value value) {
  bool lossless = false;
  if (value.IsBigInt()) return value.As<Napi::BigInt>().Uint64Value(&lossless);
  return static_cast<uint64_t>(value.ToNumber().Int64Value());
}

/** interface Generator in lib/runtime/native.ts. */
class Generator : public Napi::ObjectWrap<Generator> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(
        env, "Generator",
        {InstanceMethod("int64", &Generator::int64), InstanceMethod("permutation", &Generator::permutation)});
  }

  explicit Generator(const Napi::CallbackInfo& info)
      : Napi::ObjectWrap<Generator>(info), generator_(seed_of(info[0])) {}

 private:
  Napi::Value int64(const Napi::CallbackInfo& info) {
    return Napi::BigInt::New(info.Env(), kernels::int64(generator_));
  }

  Napi::Value permutation(const Napi::CallbackInfo& info) {
    const int64_t count = info[0].ToNumber().Int64Value();
    auto order = Napi::Int32Array::New(info.Env(), static_cast<size_t>(count));
    kernels::permutation(generator_, order.Data(), count);
    return order;
  }

  kernels::Generator generator_;
};

}  // namespace

void export_machine(Napi::Env env, Napi::Object exports) {
  exports.Set("cpu", Napi::Function::New(env, cpu, "cpu"));
  exports.Set("Generator", Generator::define(env));
}

}  // namespace distiltune::base
