#pragma once
#include <napi.h>

namespace distiltune::base {

/** openPredictor */
void export_predictor(Napi::Env env, Napi::Object exports);

}  // namespace distiltune::base
