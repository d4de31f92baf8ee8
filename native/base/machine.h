#pragma once
#include <napi.h>

namespace distiltune::base {

/** cpu, permutation */
void export_machine(Napi::Env env, Napi::Object exports);

}  // namespace distiltune::base
