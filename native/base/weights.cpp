#include "weights.h"

#include <string>
#include <utility>

#include "../failure.h"
#include "../model/save.h"
#include "../node/convert.h"
#include "../node/error.h"
#include "head.h"
#include "instance.h"

namespace distiltune::base {
namespace {

Napi::Value save_weights(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  try {
    const auto options = info[0].ToObject();
    const std::string from = options.Get("weights").ToString(), to = info[1].ToString();
    const model::Shape shape = node::to_shape(options.Get("shape").ToObject());
    model::Head head = to_head(options.Get("head").ToObject());
    const model::Dtype dtype = model::dtype_of(options.Get("dtype").ToString());
    return jobs(env).queue(
        env, [from, to, shape, dtype, head = std::move(head)](const node::Cancelled&) -> node::Jobs::Finish {
          model::save_weights(from, shape, head, dtype, to);
          return node::finish_undefined();
        });
  } catch (const Failure& failure) {
    return node::rejected(env, failure);
  }
}

Napi::Value weights_dtype(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  try {
    const std::string weights = info[0].ToString();
    const model::Shape shape = node::to_shape(info[1].ToObject());
    return jobs(env).queue(env, [weights, shape](const node::Cancelled&) -> node::Jobs::Finish {
      const model::Dtype dtype = model::stored_dtype(weights, shape);
      return [dtype](Napi::Env env) -> Napi::Value { return Napi::String::New(env, model::name(dtype)); };
    });
  } catch (const Failure& failure) {
    return node::rejected(env, failure);
  }
}

}  // namespace

void export_weights(Napi::Env env, Napi::Object exports) {
  exports.Set("saveWeights", Napi::Function::New(env, save_weights, "saveWeights"));
  exports.Set("weightsDtype", Napi::Function::New(env, weights_dtype, "weightsDtype"));
}

}  // namespace distiltune::base
