#pragma once
#include <napi.h>

namespace distiltune::base {

/** openTokenRows */
void export_token_rows(Napi::Env env, Napi::Object exports);

}  // namespace distiltune::base
