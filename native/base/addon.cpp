#include <napi.h>

#include "head_fit.h"
#include "instance.h"
#include "loader.h"
#include "machine.h"
#include "predictor.h"
#include "tensors.h"
#include "token_rows.h"
#include "tokenizer.h"
#include "weights.h"

// The list of what TypeScript may call: interface BaseAddon in lib/runtime/native.ts.
static Napi::Object initialise(Napi::Env env, Napi::Object exports) {
  env.SetInstanceData(new distiltune::base::Instance(env));
  distiltune::base::export_loader(env, exports);      // openLibrary, mappedLibraries
  distiltune::base::export_machine(env, exports);     // cpu, Generator
  distiltune::base::export_tokenizer(env, exports);   // Tokenizer
  distiltune::base::export_predictor(env, exports);   // openPredictor
  distiltune::base::export_tensors(env, exports);     // openTensors
  distiltune::base::export_head_fit(env, exports);    // openHeadFit
  distiltune::base::export_weights(env, exports);     // saveWeights, weightsDtype
  distiltune::base::export_token_rows(env, exports);  // openTokenRows
  return exports;
}

NODE_API_MODULE(base, initialise)
