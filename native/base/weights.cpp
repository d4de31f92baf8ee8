#include "weights.h"

#include <string>
#include <utility>

#include "../failure.h"
#include "../model/head.h"
#include "../model/quantised.h"
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
    const auto save =
        options.Get("dtype").ToString().Utf8Value() == "int8" ? model::save_int8 : model::save_with_head;
    return jobs(env).queue(
        env, [from, to, shape, save, head = std::move(head)](const node::Cancelled&) -> node::Jobs::Finish {
          save(from, shape, head, to);
          return node::finish_undefined();
        });
  } catch (const Failure& failure) {
    return node::rejected(env, failure);
  }
}

}  // namespace

void export_weights(Napi::Env env, Napi::Object exports) {
  exports.Set("saveWeights", Napi::Function::New(env, save_weights, "saveWeights"));
}

}  // namespace distiltune::base
