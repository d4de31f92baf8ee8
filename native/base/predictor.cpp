#include "predictor.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "../failure.h"
#include "../model/predictor.h"
#include "../node/error.h"
#include "handle.h"
#include "head.h"
#include "pool.h"

namespace distiltune::base {
namespace {

using model::Predictor;

const Failure closed("PREDICTOR_CLOSED", "This predictor is closed");

/** The rows of a call, kept for a job. */
struct Rows {
  explicit Rows(const Napi::Object& batch)
      : ids(node::to_vector(batch, "ids")), offsets(node::to_vector(batch, "offsets")) {}

  model::Batch checked(const model::Shape& shape) const {
    const model::Batch batch{ids.data(), offsets.data(), static_cast<int64_t>(offsets.size()) - 1};
    model::check(batch, static_cast<int64_t>(ids.size()), shape);
    return batch;
  }

  std::vector<int32_t> ids, offsets;
};

Napi::Value features(const Napi::CallbackInfo& info, const Shared<Predictor>& handle) {
  return queue(info, handle, closed, [&] {
    return [handle, rows = Rows(info[0].ToObject())](const node::Cancelled& cancelled) -> node::Jobs::Finish {
      Predictor& predictor = *handle->object;
      const model::Batch batch = rows.checked(predictor.shape());
      std::vector<float> features(static_cast<size_t>(batch.rows * predictor.shape().dim));
      predictor.features(batch, features.data(), cancelled);
      return node::finish_with<Napi::Float32Array>(std::move(features));
    };
  });
}

Napi::Value logits(const Napi::CallbackInfo& info, const Shared<Predictor>& handle) {
  return queue(info, handle, closed, [&] {
    std::optional<model::Head> head;
    if (!info[1].IsUndefined()) head = to_head(info[1].ToObject());
    return [handle, rows = Rows(info[0].ToObject()),
            head = std::move(head)](const node::Cancelled& cancelled) -> node::Jobs::Finish {
      Predictor& predictor = *handle->object;
      const model::Batch batch = rows.checked(predictor.shape());
      const model::Shape& shape = predictor.shape();
      if (head) model::check(*head, shape.labels, shape.dim);
      std::vector<float> logits(static_cast<size_t>(batch.rows * shape.labels));
      predictor.logits(batch, head ? *head : predictor.head(), logits.data(), cancelled);
      return node::finish_with<Napi::Float32Array>(std::move(logits));
    };
  });
}

Napi::Value open_predictor(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto options = info[0].ToObject();
  const std::string weights = options.Get("weights").ToString();
  const model::Shape shape = node::to_shape(options.Get("shape").ToObject());
  const auto threads = static_cast<int>(node::integer(options, "threads"));
  const model::Dtype dtype = model::dtype_of(options.Get("dtype").ToString());
  const std::string cache = options.Get("cache").IsString() ? options.Get("cache").ToString() : std::string();
  return jobs(env).queue(env, [=](const node::Cancelled&) -> node::Jobs::Finish {
    auto handle = std::make_shared<Handle<Predictor>>();
    handle->object =
        std::make_unique<Predictor>(std::make_unique<model::PackedWeights>(weights, shape, dtype, cache),
                                    shape, dtype, shared_pool(threads));
    return [handle, head = handle->object->head()](Napi::Env env) -> Napi::Value {
      auto predictor = to_javascript(env, handle, {{"features", features}, {"logits", logits}});
      predictor.Set("head", from_head(env, head));
      return predictor;
    };
  });
}

}  // namespace

void export_predictor(Napi::Env env, Napi::Object exports) {
  exports.Set("openPredictor", Napi::Function::New(env, open_predictor, "openPredictor"));
}

}  // namespace distiltune::base
