#pragma once
#include <napi.h>

namespace distiltune::base {

/** saveWeights */
void export_weights(Napi::Env env, Napi::Object exports);

}  // namespace distiltune::base
