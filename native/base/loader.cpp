#include "loader.h"

#include <fstream>
#include <set>
#include <string>

#include "../failure.h"
#include "../files/wide.h"
#include "../node/error.h"

#ifdef _WIN32
#include <windows.h>
#else
#include <dlfcn.h>
#endif

namespace distiltune::base {
namespace {

/** The handle is never closed: libtorch must stay until the process ends (its statics outlive any
 * environment). */
void open_library(const std::string& path, bool global) {
#ifdef _WIN32
  (void)global;
  // Dependencies are looked for beside the library first, never in the current folder.
  if (LoadLibraryExW(files::wide(path).c_str(), nullptr,
                     LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR | LOAD_LIBRARY_SEARCH_DEFAULT_DIRS))
    return;
  throw Failure("LIBRARY_OPEN_FAILED", path + ": system error " + std::to_string(GetLastError()));
#else
  dlerror();
  if (dlopen(path.c_str(), RTLD_NOW | (global ? RTLD_GLOBAL : RTLD_LOCAL)) != nullptr) return;
  const char* reason = dlerror();
  throw Failure("LIBRARY_OPEN_FAILED", reason ? reason : path + " could not be opened");
#endif
}

std::set<std::string> mapped_libraries() {
  std::set<std::string> paths;
#ifdef __linux__
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    const size_t slash = line.find('/');
    if (slash != std::string::npos && line.find(".so", slash) != std::string::npos)
      paths.insert(line.substr(slash));
  }
#endif
  return paths;
}

Napi::Value open_library_call(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::string path = info[0].As<Napi::String>();
  const bool global = info[1].As<Napi::Object>().Get("global").ToBoolean();
  node::guard(env, [&] { open_library(path, global); });
  return env.Undefined();
}

Napi::Value mapped_libraries_call(const Napi::CallbackInfo& info) {
  auto result = Napi::Array::New(info.Env());
  for (const std::string& path : mapped_libraries())
    result.Set(result.Length(), Napi::String::New(info.Env(), path));
  return result;
}

}  // namespace

void export_loader(Napi::Env env, Napi::Object exports) {
  exports.Set("openLibrary", Napi::Function::New(env, open_library_call, "openLibrary"));
  exports.Set("mappedLibraries", Napi::Function::New(env, mapped_libraries_call, "mappedLibraries"));
}

}  // namespace distiltune::base
