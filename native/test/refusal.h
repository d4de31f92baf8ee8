#pragma once
#include <string>

#include "failure.h"

namespace distiltune::test {

/** Code of the Failure that body() throws; empty where it goes through. */
template <class Body>
std::string code_of(Body body) {
  try {
    body();
  } catch (const Failure& failure) {
    return failure.code;
  }
  return "";
}

}  // namespace distiltune::test
