#pragma once
#include <stdexcept>
#include <string>
#include <utility>

namespace distiltune {

/** A refusal with a lasting code, one sentence and a next move; native/node/error.h turns it into a
 * JavaScript error. */
struct Failure : std::runtime_error {
  Failure(std::string code, const std::string& message, std::string hint = {})
      : std::runtime_error(message), code(std::move(code)), hint(std::move(hint)) {}

  std::string code;
  std::string hint;
};

}  // namespace distiltune
