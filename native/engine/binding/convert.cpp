#include "convert.h"

#include "../../failure.h"

namespace distiltune::engine {

namespace {

double number(const Napi::Object& object, const char* key) {
  return object.Get(key).ToNumber().DoubleValue();
}
int64_t integer(const Napi::Object& object, const char* key) {
  return object.Get(key).ToNumber().Int64Value();
}
std::string text(const Napi::Object& object, const char* key) {
  return object.Get(key).ToString().Utf8Value();
}

model::Shape to_shape(const Napi::Object& shape) {
  return {
      integer(shape, "vocabSize"), integer(shape, "maxPositions"),
      integer(shape, "layers"),    integer(shape, "heads"),
      integer(shape, "dim"),       integer(shape, "hiddenDim"),
      integer(shape, "labels"),    text(shape, "activation") == "relu" ? Activation::relu : Activation::gelu};
}

std::vector<int32_t> to_vector(const Napi::Object& batch, const char* key) {
  const Napi::Value value = batch.Get(key);
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_int32_array) {
    throw Failure("BATCH_INVALID", std::string("Expected `") + key + "` to be an Int32Array");
  }
  const auto array = value.As<Napi::Int32Array>();
  return {array.Data(), array.Data() + array.ElementLength()};
}

}  // namespace

SessionOptions to_session_options(const Napi::Value& value) {
  const Napi::Object options = value.ToObject();
  const Napi::Object optimizer = options.Get("optimizer").ToObject();
  return {text(options, "weights"),
          to_shape(options.Get("shape").ToObject()),
          {static_cast<float>(number(options, "dropout")),
           static_cast<float>(number(options, "attentionDropout")),
           static_cast<float>(number(options, "classifierDropout"))},
          number(options, "initializerRange"),
          static_cast<uint64_t>(integer(options, "seed")),
          {number(optimizer, "beta1"), number(optimizer, "beta2"), number(optimizer, "epsilon"),
           number(optimizer, "weightDecay"), number(optimizer, "maxGradNorm")},
          static_cast<int>(integer(options, "threads")),
          text(options, "ops") == "aten" ? OpsKind::aten : OpsKind::cpu};
}

OwnedBatch to_batch(const Napi::Value& value) {
  const Napi::Object batch = value.ToObject();
  OwnedBatch owned{to_vector(batch, "ids"), to_vector(batch, "offsets"), {}};
  if (owned.offsets.empty())
    throw Failure("BATCH_INVALID", "Expected `offsets` to hold at least one number, got none");
  if (!batch.Get("labels").IsUndefined()) owned.classes = to_vector(batch, "labels");
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
