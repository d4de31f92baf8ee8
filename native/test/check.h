#pragma once
#include <cstdio>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

// The smallest test runner: each CASE prints "ok NAME" or "not ok NAME: reason", main() returns the number of
// failures. test/native.ts runs the programs and makes each line a vitest case.

namespace distiltune::test {

struct Case {
  const char* name;
  std::function<void()> body;
};
inline std::vector<Case>& cases() {
  static std::vector<Case> all;
  return all;
}
struct Register {
  Register(const char* name, std::function<void()> body) { cases().push_back({name, std::move(body)}); }
};
struct Mismatch {
  std::string reason;
};

inline int run_all() {
  int failures = 0;
  for (const Case& each : cases()) {
    try {
      each.body();
      std::printf("ok %s\n", each.name);
    } catch (const Mismatch& mismatch) {
      std::printf("not ok %s: %s\n", each.name, mismatch.reason.c_str());
      ++failures;
    } catch (const std::exception& failure) {
      std::printf("not ok %s: threw %s\n", each.name, failure.what());
      ++failures;
    }
    std::fflush(stdout);
  }
  return failures;
}

}  // namespace distiltune::test

#define CHECK_JOIN2(a, b) a##b
#define CHECK_JOIN(a, b) CHECK_JOIN2(a, b)
#define CASE(name)                                                                                        \
  static void CHECK_JOIN(case_, __LINE__)();                                                              \
  static const ::distiltune::test::Register CHECK_JOIN(register_, __LINE__)(name,                         \
                                                                            CHECK_JOIN(case_, __LINE__)); \
  static void CHECK_JOIN(case_, __LINE__)()
#define CHECK(condition)                                                                                \
  do {                                                                                                  \
    if (!(condition))                                                                                   \
      throw ::distiltune::test::Mismatch{std::string(__FILE__) + ":" + std::to_string(__LINE__) + " " + \
                                         #condition};                                                   \
  } while (0)
/** |got - want| <= tolerance, with both numbers in the report. */
#define CHECK_NEAR(got, want, tolerance)                                                                   \
  do {                                                                                                     \
    const double got_ = (got), want_ = (want), tolerance_ = (tolerance);                                   \
    if (!(got_ - want_ <= tolerance_ && want_ - got_ <= tolerance_))                                       \
      throw ::distiltune::test::Mismatch{std::string(__FILE__) + ":" + std::to_string(__LINE__) +          \
                                         " " #got " is " + std::to_string(got_) + ", expected " +          \
                                         std::to_string(want_) + " within " + std::to_string(tolerance_)}; \
  } while (0)
#define MAIN \
  int main() { return ::distiltune::test::run_all() == 0 ? 0 : 1; }
