#pragma once
#include <napi.h>

namespace distiltune::base {

/** Tokenizer */
void export_tokenizer(Napi::Env env, Napi::Object exports);

}  // namespace distiltune::base
