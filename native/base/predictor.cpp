#include "predictor.h"

#include <memory>
#include <string>
#include <vector>

#include "../failure.h"
#include "../model/predictor.h"
#include "../node/convert.h"
#include "../node/error.h"
#include "instance.h"

namespace distiltune::base {
namespace {

/** What a NativePredictor's two methods share. `open` belongs to the JavaScript thread, `predictor` to the
 * native one. */
struct Handle {
  bool open = true;
  std::unique_ptr<model::Predictor> predictor;
};

node::Jobs::Work logits_work(std::shared_ptr<Handle> handle, std::vector<int32_t> ids,
                             std::vector<int32_t> offsets) {
  return [handle, ids = std::move(ids),
          offsets = std::move(offsets)](const node::Cancelled& cancelled) -> node::Jobs::Finish {
    model::Predictor& predictor = *handle->predictor;
    const model::Batch batch{ids.data(), offsets.data(), static_cast<int64_t>(offsets.size()) - 1};
    model::check(batch, static_cast<int64_t>(ids.size()), predictor.shape());
    std::vector<float> logits(static_cast<size_t>(batch.rows * predictor.shape().labels));
    predictor.logits(batch, logits.data(), cancelled);
    return node::finish_with<Napi::Float32Array>(std::move(logits));
  };
}

Napi::Value logits(const Napi::CallbackInfo& info, const std::shared_ptr<Handle>& handle) {
  const Napi::Env env = info.Env();
  try {
    if (!handle->open) throw Failure("PREDICTOR_CLOSED", "This predictor is closed");
    const auto batch = info[0].ToObject();
    return jobs(env).queue(
        env, logits_work(handle, node::to_vector(batch, "ids"), node::to_vector(batch, "offsets")));
  } catch (const Failure& failure) {
    return node::rejected(env, failure);
  }
}

Napi::Value close(const Napi::CallbackInfo& info, const std::shared_ptr<Handle>& handle) {
  handle->open = false;
  return jobs(info.Env()).queue(info.Env(), [handle](const node::Cancelled&) -> node::Jobs::Finish {
    handle->predictor.reset();
    return node::finish_undefined();
  });
}

Napi::Value open_predictor(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto options = info[0].ToObject();
  const std::string weights = options.Get("weights").ToString();
  const model::Shape shape = node::to_shape(options.Get("shape").ToObject());
  const auto threads = static_cast<int>(node::integer(options, "threads"));
  return jobs(env).queue(env, [weights, shape, threads](const node::Cancelled&) -> node::Jobs::Finish {
    auto handle = std::make_shared<Handle>();
    handle->predictor = std::make_unique<model::Predictor>(weights, shape, threads);
    return [handle](Napi::Env env) -> Napi::Value {
      auto predictor = Napi::Object::New(env);
      const auto method = [&](const char* name, auto body) {
        predictor.Set(
            name,
            Napi::Function::New(
                env, [handle, body](const Napi::CallbackInfo& call) { return body(call, handle); }, name));
      };
      method("logits", logits);
      method("close", close);
      return predictor;
    };
  });
}

}  // namespace

void export_predictor(Napi::Env env, Napi::Object exports) {
  exports.Set("openPredictor", Napi::Function::New(env, open_predictor, "openPredictor"));
}

}  // namespace distiltune::base
