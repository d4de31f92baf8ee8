#include "head_fit.h"

#include <memory>
#include <vector>

#include "../model/head_fit.h"
#include "handle.h"
#include "head.h"

namespace distiltune::base {
namespace {

using model::HeadFit;

const Failure closed("FIT_CLOSED", "This fit is closed");

Napi::Value advance(const Napi::CallbackInfo& info, const Shared<HeadFit>& handle) {
  return queue(info, handle, closed, [&] {
    return [handle, iterations = info[0].ToNumber().Int64Value()](
               const node::Cancelled& cancelled) -> node::Jobs::Finish {
      HeadFit& fit = *handle->object;
      int64_t done = 0;
      while (done < iterations && !cancelled && fit.step()) ++done;
      return [done, converged = fit.converged()](Napi::Env env) -> Napi::Value {
        auto result = Napi::Object::New(env);
        result.Set("iterations", static_cast<double>(done));
        result.Set("converged", converged);
        return result;
      };
    };
  });
}

Napi::Value head(const Napi::CallbackInfo& info, const Shared<HeadFit>& handle) {
  return queue(info, handle, closed, [&] {
    return [handle](const node::Cancelled&) -> node::Jobs::Finish {
      return [head = handle->object->head()](Napi::Env env) -> Napi::Value { return from_head(env, head); };
    };
  });
}

Napi::Value logits(const Napi::CallbackInfo& info, const Shared<HeadFit>& handle) {
  return queue(info, handle, closed, [&] {
    return [handle, head = to_head(info[0].ToObject())](const node::Cancelled&) -> node::Jobs::Finish {
      const std::vector<double> logits = handle->object->logits(head);
      return node::finish_with<Napi::Float32Array>(std::vector<float>(logits.begin(), logits.end()));
    };
  });
}

Napi::Value open_head_fit(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  try {
    const auto options = info[0].ToObject();
    model::HeadRows rows{to_floats(options, "features"), node::to_vector(options, "classes"),
                         node::integer(options, "labels")};
    const double l2 = options.Get("l2").ToNumber();
    const auto threads = static_cast<int>(node::integer(options, "threads"));
    return jobs(env).queue(
        env, [rows = std::move(rows), l2, threads](const node::Cancelled&) -> node::Jobs::Finish {
          model::check(rows);
          auto handle = std::make_shared<Handle<HeadFit>>();
          handle->object = std::make_unique<HeadFit>(rows, l2, threads);
          return [handle](Napi::Env env) -> Napi::Value {
            return to_javascript(env, handle, {{"advance", advance}, {"head", head}, {"logits", logits}});
          };
        });
  } catch (const Failure& failure) {
    return node::rejected(env, failure);
  }
}

}  // namespace

void export_head_fit(Napi::Env env, Napi::Object exports) {
  exports.Set("openHeadFit", Napi::Function::New(env, open_head_fit, "openHeadFit"));
}

}  // namespace distiltune::base
