#pragma once
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace distiltune::files {

/** Why a text is not the JSON that was expected, and where. */
struct JsonError : std::runtime_error {
  JsonError(const std::string& reason, size_t byte)
      : std::runtime_error(reason + " at byte " + std::to_string(byte)) {}
};

/**
 * Strict JSON (RFC 8259) walked from left to right: the caller says what must come next, and whatever else
 * comes is a JsonError. UTF-8 is checked within strings. Nothing is allocated but the strings asked for.
 */
class JsonCursor {
 public:
  explicit JsonCursor(std::string_view text) : text_(text) {}

  /** Skips white space and looks at the next character; '\0' at the end. */
  char peek();
  /** Takes `c`, which must come next. */
  void expect(char c);
  /** Takes `c` if it comes next. */
  bool accept(char c);
  /** A string, unescaped, as UTF-8. */
  std::string string();
  /** A whole number from 0 to 2^64 - 1, written without sign, fraction or exponent. */
  uint64_t unsigned_integer();
  /** Takes `null` if it comes next. */
  bool accept_null();
  /** Any value, checked but not kept; arrays and objects at most `depth` deep. */
  void skip_value(int depth = 64);
  /** Nothing but white space may be left. */
  void expect_end();

  [[noreturn]] void fail(const std::string& reason) const;

 private:
  void literal(std::string_view word);
  void skip_number();
  uint32_t hex4();
  void append_escape(std::string& out);
  void append_utf8_sequence(std::string& out);

  std::string_view text_;
  size_t at_ = 0;
};

}  // namespace distiltune::files
