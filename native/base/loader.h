#pragma once
#include <napi.h>

namespace distiltune::base {

/** openLibrary, mappedLibraries */
void export_loader(Napi::Env env, Napi::Object exports);

}  // namespace distiltune::base
