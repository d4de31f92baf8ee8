#include "core.h"

#include <algorithm>
#include <utility>

#include "../../failure.h"
#include "../../files/safetensors.h"
#include "../../node/convert.h"
#include "../ops/aten.h"
#include "../ops/cpu.h"
#include "../train/head.h"
#include "../train/state.h"

namespace distiltune::engine {

namespace {

Frozen checked(Frozen frozen, const model::Shape& shape) {
  if (frozen.layers >= 0 && frozen.layers <= shape.layers) return frozen;
  throw Failure("FREEZE_INVALID", "Expected to freeze from 0 to " + std::to_string(shape.layers) +
                                      " layers, got " + std::to_string(frozen.layers));
}

}  // namespace

Core::Core(const SessionOptions& options)
    : shape((model::check(options.shape), options.shape)),
      pool(options.threads),
      ops(options.ops == OpsKind::cpu ? make_cpu_ops(pool, options.precision)
                                      : make_aten_ops(DType::f32, pool.threads())),
      infos(model::parameters(shape)),
      loss((check(options.loss, shape.labels), options.loss.kind)),
      training(*ops, shape, options.rates, options.loss, options.optimizer, options.seed,
               checked(options.frozen, shape)) {
  std::vector<float*> destinations;
  for (const View& view : training.parameters().views()) destinations.push_back(view.f32());
  loaded = model::load_weights(options.weights, shape, destinations.data());
  draw_head(training.parameters().views(), infos, loaded.initialized, options.initializer_range, options.seed,
            options.head_draws);
}

namespace {

/** Checked, and as long-lived as `batches`. */
std::vector<LabelledBatch> labelled(const Core& core, const std::vector<OwnedBatch>& batches) {
  std::vector<LabelledBatch> labelled;
  for (const OwnedBatch& batch : batches) {
    model::check(batch.rows(), batch.ids.size(), core.shape);
    check_labels(batch, core.loss, core.shape.labels);
    labelled.push_back({batch.rows(), batch.labels()});
  }
  return labelled;
}

/** Place of a parameter in core.infos and in every ParameterStore's views. Throws PARAMETER_UNKNOWN. */
size_t index_of(const Core& core, const std::string& name) {
  const auto info =
      std::find_if(core.infos.begin(), core.infos.end(), [&](const auto& each) { return each.name == name; });
  if (info == core.infos.end())
    throw Failure("PARAMETER_UNKNOWN", "The model has no parameter named \"" + name + '"');
  return info - core.infos.begin();
}

std::vector<float> copy_of(View view) { return {view.f32(), view.f32() + view.count()}; }

/** Zeros of what is frozen. */
std::vector<float> copy_or_zeros(View view, const model::ParameterInfo& info) {
  return view.data ? copy_of(view) : std::vector<float>(info.count());
}

/** The word table's gradient, zeros included. */
std::vector<float> dense(const kernels::RowGradient& gradient, const model::ParameterInfo& table) {
  std::vector<float> out(table.count());
  for (size_t place = 0; place < gradient.ids.size(); ++place) {
    std::copy_n(gradient.values.data() + place * table.cols, table.cols,
                out.data() + gradient.ids[place] * table.cols);
  }
  return out;
}

}  // namespace

node::Jobs::Finish accumulate(Core& core, const std::vector<OwnedBatch>& batches, double divisor,
                              const Cancelled& cancelled) {
  return node::finish_with<Napi::Float64Array>(
      core.training.accumulate(labelled(core, batches), divisor, cancelled));
}

node::Jobs::Finish step(Core& core, const std::vector<OwnedBatch>& batches, double learning_rate,
                        double divisor, const Cancelled& cancelled) {
  StepResult result = core.training.step(labelled(core, batches), divisor, learning_rate, cancelled);
  auto losses = node::finish_with<Napi::Float64Array>(std::move(result.losses));
  return [losses = std::move(losses), grad_norm = result.grad_norm](Napi::Env env) -> Napi::Value {
    auto object = Napi::Object::New(env);
    object.Set("losses", losses(env));
    object.Set("gradNorm", grad_norm);
    return object;
  };
}

node::Jobs::Finish logits(Core& core, const OwnedBatch& batch, const Cancelled& cancelled) {
  model::check(batch.rows(), batch.ids.size(), core.shape);
  return node::finish_with<Napi::Float32Array>(copy_of(core.training.logits(batch.rows(), cancelled)));
}

node::Jobs::Finish parameter(Core& core, const std::string& name) {
  const size_t index = index_of(core, name);
  if (index == 0) core.training.level();
  return node::finish_with<Napi::Float32Array>(copy_of(core.training.parameters().views()[index]));
}

node::Jobs::Finish gradient(Core& core, const std::string& name) {
  const size_t index = index_of(core, name);
  const bool pending = core.training.counters().pending > 0;
  const View view = pending ? core.training.other_gradients().views()[index] : View{};
  return node::finish_with<Napi::Float32Array>(
      index == 0 ? dense(core.training.word_gradient().rows, core.infos[index])
                 : copy_or_zeros(view, core.infos[index]));
}

node::Jobs::Finish moments(Core& core, const std::string& name) {
  const size_t index = index_of(core, name);
  if (index == 0) core.training.level();
  const auto of = [&](const ParameterStore& store) {
    return node::finish_with<Napi::Float32Array>(copy_or_zeros(store.views()[index], core.infos[index]));
  };
  auto first = of(core.training.moments1());
  auto second = of(core.training.moments2());
  return [first = std::move(first), second = std::move(second)](Napi::Env env) -> Napi::Value {
    auto object = Napi::Object::New(env);
    object.Set("first", first(env));
    object.Set("second", second(env));
    return object;
  };
}

node::Jobs::Finish save_weights(Core& core, const std::string& path) {
  if (!core.training.is_finite())
    throw Failure("NON_FINITE", "The model holds weights that are no numbers, so it was not saved",
                  "Lower the learning rate, and start again from the last checkpoint");
  std::vector<files::FloatTensor> tensors;
  for (size_t index = 0; index < core.infos.size(); ++index) {
    const model::ParameterInfo& info = core.infos[index];
    tensors.push_back({info.name, info.sizes(), core.training.parameters().views()[index].f32()});
  }
  files::write_safetensors(path, tensors, {{"format", "pt"}});
  return node::finish_undefined();
}

node::Jobs::Finish save_state(Core& core, const std::string& path) {
  save_state(core.training, core.shape, path);
  return [counters = core.training.counters()](Napi::Env env) -> Napi::Value {
    return from_counters(env, counters);
  };
}

node::Jobs::Finish load_state(Core& core, const std::string& path, const Counters& counters) {
  load_state(core.training, core.shape, path, counters);
  return node::finish_undefined();
}

}  // namespace distiltune::engine
