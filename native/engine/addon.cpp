#include <napi.h>
#include <torch/version.h>

#include "binding/session.h"

// The list of what TypeScript may call: interface EngineAddon in lib/runtime/native.ts.
static Napi::Object initialise(Napi::Env env, Napi::Object exports) {
  const char* const version = TORCH_VERSION;
  exports.Set("torchVersion", Napi::String::New(env, version));
  distiltune::engine::export_session(env, exports);  // openSession
  return exports;
}

NODE_API_MODULE(engine, initialise)
