#include "convert.h"

#include <cmath>

#include "../../failure.h"
#include "../../node/convert.h"

namespace distiltune::engine {

namespace {

double number(const Napi::Object& object, const char* key) {
  return object.Get(key).ToNumber().DoubleValue();
}
std::string text(const Napi::Object& object, const char* key) {
  return object.Get(key).ToString().Utf8Value();
}

LossOptions to_loss(const Napi::Object& loss) {
  LossOptions out;
  const std::string kind = text(loss, "kind");
  if (kind == "multi_label") out.kind = LossKind::multi_label;
  if (kind == "regression") out.kind = LossKind::regression;
  out.label_smoothing = number(loss, "labelSmoothing");
  if (!loss.Get("focalGamma").IsUndefined()) out.focal_gamma = number(loss, "focalGamma");
  const Napi::Value weights = loss.Get("classWeights");
  if (!weights.IsUndefined()) {
    const Napi::Object list = weights.ToObject();
    for (int64_t index = 0; index < node::integer(list, "length"); ++index) {
      out.class_weights.push_back(list.Get(static_cast<uint32_t>(index)).ToNumber().DoubleValue());
    }
  }
  return out;
}

Frozen to_frozen(const Napi::Value& value) {
  if (value.IsUndefined()) return {};
  return {true, node::integer(value.ToObject(), "layers")};
}

std::string description(const OwnedBatch& batch) {
  if (!batch.classes.empty()) return "an Int32Array of " + std::to_string(batch.classes.size());
  return batch.values.empty() ? "none" : "a Float32Array of " + std::to_string(batch.values.size());
}

}  // namespace

SessionOptions to_session_options(const Napi::Value& value) {
  const Napi::Object options = value.ToObject();
  const Napi::Object optimizer = options.Get("optimizer").ToObject();
  return {
      text(options, "weights"),
      node::to_shape(options.Get("shape").ToObject()),
      {static_cast<float>(number(options, "dropout")),
       static_cast<float>(number(options, "attentionDropout")),
       static_cast<float>(number(options, "classifierDropout"))},
      number(options, "initializerRange"),
      static_cast<uint64_t>(node::integer(options, "seed")),
      text(options, "headDraws") == "afterConstructors" ? HeadDraws::after_constructors : HeadDraws::first,
      to_loss(options.Get("loss").ToObject()),
      {text(optimizer, "flavor") == "adamw_hf" ? kernels::AdamWFlavor::hf : kernels::AdamWFlavor::torch,
       number(optimizer, "beta1"), number(optimizer, "beta2"), number(optimizer, "epsilon"),
       number(optimizer, "weightDecay"), number(optimizer, "maxGradNorm")},
      to_frozen(options.Get("frozen")),
      static_cast<int>(node::integer(options, "threads")),
      text(options, "ops") == "aten" ? OpsKind::aten : OpsKind::cpu,
      text(options, "dtype") == "bf16" ? Precision::bf16 : Precision::fp32};
}

OwnedBatch to_batch(const Napi::Value& value) {
  const Napi::Object batch = value.ToObject();
  OwnedBatch owned{node::to_vector(batch, "ids"), node::to_vector(batch, "offsets"), {}, {}};
  if (owned.offsets.empty())
    throw Failure("BATCH_INVALID", "Expected `offsets` to hold at least one number, got none");
  const Napi::Value labels = batch.Get("labels");
  if (labels.IsTypedArray() && labels.As<Napi::TypedArray>().TypedArrayType() == napi_float32_array) {
    const auto values = labels.As<Napi::Float32Array>();
    owned.values.assign(values.Data(), values.Data() + values.ElementLength());
  } else if (!labels.IsUndefined()) {
    owned.classes = node::to_vector(batch, "labels");
  }
  return owned;
}

std::vector<OwnedBatch> to_batches(const Napi::Value& value) {
  if (!value.IsArray() || value.As<Napi::Array>().Length() == 0) {
    throw Failure("BATCH_INVALID", "Expected a list of at least one batch");
  }
  const auto list = value.As<Napi::Array>();
  std::vector<OwnedBatch> batches;
  for (uint32_t index = 0; index < list.Length(); ++index) batches.push_back(to_batch(list.Get(index)));
  return batches;
}

Counters to_counters(const Napi::Value& value) {
  const Napi::Object counters = value.ToObject();
  const auto count = [&](const char* key) { return static_cast<uint64_t>(node::integer(counters, key)); };
  return {count("steps"), count("microBatches"), count("pending")};
}

Napi::Value from_counters(Napi::Env env, const Counters& counters) {
  auto object = Napi::Object::New(env);
  object.Set("steps", static_cast<double>(counters.steps));
  object.Set("microBatches", static_cast<double>(counters.micro_batches));
  object.Set("pending", static_cast<double>(counters.pending));
  return object;
}

void check_labels(const OwnedBatch& batch, LossKind kind, int64_t outputs) {
  const bool classes = kind == LossKind::single_label;
  const size_t want = batch.rows().rows * (classes ? 1 : outputs);
  if ((classes ? batch.classes.size() : batch.values.size()) != want) {
    throw Failure("BATCH_INVALID", std::string("Expected `labels` to be ") +
                                       (classes ? "an Int32Array" : "a Float32Array") + " of " +
                                       std::to_string(want) + " for this loss, got " + description(batch));
  }
  for (const int32_t label : batch.classes) {
    if (label != ignored_class && (label < 0 || label >= outputs)) {
      throw Failure("BATCH_INVALID", "Expected labels from 0 to " + std::to_string(outputs - 1) +
                                         ", or -100, got " + std::to_string(label));
    }
  }
  for (const float value : batch.values) {
    if (kind == LossKind::multi_label ? !(value >= 0 && value <= 1) : !std::isfinite(value)) {
      throw Failure("BATCH_INVALID", std::string("Expected labels to be ") +
                                         (kind == LossKind::multi_label ? "from 0 to 1" : "finite") +
                                         ", got " + std::to_string(value));
    }
  }
}

}  // namespace distiltune::engine
