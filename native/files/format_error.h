#pragma once
#include <stdexcept>
#include <string>
#include <utility>

namespace distiltune::files {

/** Why bytes are not the zip or the pickle that was expected; whoever opened the file adds its name and a
 * code. */
struct FormatError : std::runtime_error {
  explicit FormatError(const std::string& reason, std::string hint = {})
      : std::runtime_error(reason), hint(std::move(hint)) {}

  std::string hint;
};

}  // namespace distiltune::files
