#include "convert.h"

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

}  // namespace

SessionOptions to_session_options(const Napi::Value& value) {
  const Napi::Object options = value.ToObject();
  const Napi::Object optimizer = options.Get("optimizer").ToObject();
  return {text(options, "weights"),
          node::to_shape(options.Get("shape").ToObject()),
          {static_cast<float>(number(options, "dropout")),
           static_cast<float>(number(options, "attentionDropout")),
           static_cast<float>(number(options, "classifierDropout"))},
          number(options, "initializerRange"),
          static_cast<uint64_t>(node::integer(options, "seed")),
          {text(optimizer, "flavor") == "adamw_hf" ? kernels::AdamWFlavor::hf : kernels::AdamWFlavor::torch,
           number(optimizer, "beta1"), number(optimizer, "beta2"), number(optimizer, "epsilon"),
           number(optimizer, "weightDecay"), number(optimizer, "maxGradNorm")},
          static_cast<int>(node::integer(options, "threads")),
          text(options, "ops") == "aten" ? OpsKind::aten : OpsKind::cpu};
}

OwnedBatch to_batch(const Napi::Value& value) {
  const Napi::Object batch = value.ToObject();
  OwnedBatch owned{node::to_vector(batch, "ids"), node::to_vector(batch, "offsets"), {}};
  if (owned.offsets.empty())
    throw Failure("BATCH_INVALID", "Expected `offsets` to hold at least one number, got none");
  if (!batch.Get("labels").IsUndefined()) owned.classes = node::to_vector(batch, "labels");
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

void check_classes(const OwnedBatch& batch, int64_t labels) {
  const int64_t rows = batch.rows().rows;
  if (static_cast<int64_t>(batch.classes.size()) != rows) {
    throw Failure("BATCH_INVALID", "Expected one label for each of " + std::to_string(rows) + " rows, got " +
                                       std::to_string(batch.classes.size()));
  }
  for (const int32_t label : batch.classes) {
    if (label < 0 || label >= labels) {
      throw Failure("BATCH_INVALID", "Expected labels from 0 to " + std::to_string(labels - 1) + ", got " +
                                         std::to_string(label));
    }
  }
}

}  // namespace distiltune::engine
