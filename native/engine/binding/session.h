#pragma once
#include <napi.h>

namespace distiltune::engine {

/** openSession, and what one environment keeps. */
void export_session(Napi::Env env, Napi::Object exports);

}  // namespace distiltune::engine
