#include "token_rows.h"

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "../failure.h"
#include "../files/token_rows.h"
#include "../node/convert.h"
#include "../node/error.h"

namespace distiltune::base {
namespace {

using Rows = std::shared_ptr<files::TokenRows>;

Napi::Int32Array copy(Napi::Env env, const std::vector<int32_t>& values) {
  auto array = Napi::Int32Array::New(env, values.size());
  std::copy(values.begin(), values.end(), array.Data());
  return array;
}

Napi::Value lengths(const Napi::CallbackInfo& info, const Rows& rows) {
  return node::guard(info.Env(), [&]() -> Napi::Value {
    auto result = Napi::Int32Array::New(info.Env(), static_cast<size_t>(rows->rows()));
    rows->lengths(result.Data());
    return result;
  });
}

Napi::Value read(const Napi::CallbackInfo& info, const Rows& rows) {
  const Napi::Env env = info.Env();
  return node::guard(env, [&]() -> Napi::Value {
    if (!info[0].IsTypedArray() || info[0].As<Napi::TypedArray>().TypedArrayType() != napi_int32_array)
      throw Failure("ROW_UNKNOWN", "Expected the numbers of rows to be an Int32Array");
    const auto wanted = info[0].As<Napi::Int32Array>();
    std::vector<int32_t> ids, offsets;
    rows->read(wanted.Data(), wanted.ElementLength(), ids, offsets);
    auto batch = Napi::Object::New(env);
    batch.Set("ids", copy(env, ids));
    batch.Set("offsets", copy(env, offsets));
    return batch;
  });
}

/** A position or number; what is negative becomes too large for any file. */
uint64_t natural(const Napi::Object& object, const char* key) {
  return static_cast<uint64_t>(node::integer(object, key));
}

Napi::Value open_token_rows(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::string path = info[0].ToString();
  const auto layout = info[1].ToObject();
  return node::guard(env, [&]() -> Napi::Value {
    const auto rows = std::make_shared<files::TokenRows>(
        path,
        files::TokenLayout{natural(layout, "rows"), natural(layout, "tokens"), natural(layout, "idBytes"),
                           natural(layout, "idsAt"), natural(layout, "offsetsAt")});
    auto opened = Napi::Object::New(env);
    const auto method = [&](const char* name, auto body) {
      opened.Set(name,
                 Napi::Function::New(
                     env, [rows, body](const Napi::CallbackInfo& call) { return body(call, rows); }, name));
    };
    method("lengths", lengths);
    method("read", read);
    return opened;
  });
}

}  // namespace

void export_token_rows(Napi::Env env, Napi::Object exports) {
  exports.Set("openTokenRows", Napi::Function::New(env, open_token_rows, "openTokenRows"));
}

}  // namespace distiltune::base
