#pragma once
#include <napi.h>

namespace distiltune::base {

/** openHeadFit */
void export_head_fit(Napi::Env env, Napi::Object exports);

}  // namespace distiltune::base
