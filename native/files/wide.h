#pragma once
#ifdef _WIN32
#define NOMINMAX
#include <windows.h>

#include <string>

namespace distiltune::files {

/** A UTF-8 path as Windows' own calls take it. */
inline std::wstring wide(const std::string& text) {
  const int length = MultiByteToWideChar(CP_UTF8, 0, text.data(), static_cast<int>(text.size()), nullptr, 0);
  std::wstring result(static_cast<size_t>(length), L'\0');
  MultiByteToWideChar(CP_UTF8, 0, text.data(), static_cast<int>(text.size()), result.data(), length);
  return result;
}

}  // namespace distiltune::files
#endif
