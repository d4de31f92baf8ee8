#pragma once
#include <napi.h>

namespace distiltune::base {

/** openTensors */
void export_tensors(Napi::Env env, Napi::Object exports);

}  // namespace distiltune::base
