#pragma once
#include <napi.h>

namespace distiltune::base {

/** openPredictor, safetensorsHeader */
void export_predictor(Napi::Env env, Napi::Object exports);

}  // namespace distiltune::base
