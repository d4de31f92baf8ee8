#include "files/json.h"

#include "test/check.h"

using distiltune::files::JsonCursor;
using distiltune::files::JsonError;

namespace {

template <class Body>
std::string refusal(Body body) {
  try {
    body();
  } catch (const JsonError& error) {
    return error.what();
  }
  return "";
}

std::string string_of(std::string_view text) {
  JsonCursor json(text);
  const std::string value = json.string();
  json.expect_end();
  return value;
}

bool is_value(std::string_view text) {
  return refusal([&] {
           JsonCursor json(text);
           json.skip_value();
           json.expect_end();
         })
      .empty();
}

}  // namespace

CASE("strings are unescaped to UTF-8") {
  CHECK(string_of(R"("a\"\\\/\b\f\n\r\tz")") == "a\"\\/\b\f\n\r\tz");
  CHECK(string_of(R"("\u0041\u00e9\u6f22\ud83d\ude00")") == "A\xC3\xA9\xE6\xBC\xA2\xF0\x9F\x98\x80");
  CHECK(string_of("\"\\u0000\"") == std::string(1, '\0'));
  CHECK(string_of("\"\xC3\xA9\xF4\x8F\xBF\xBF\"") == "\xC3\xA9\xF4\x8F\xBF\xBF");
}

CASE("strings that are not JSON or not UTF-8 are refused") {
  for (const char* text :
       {"\"", "\"\\", "\"\\u12", "\"\\x\"", "\"\\ud83d\"", "\"\\ud83d\\u0041\"", "\"\\udc00\"", "\"\n\"",
        "\"\x80\"", "\"\xC0\xAF\"", "\"\xE0\x80\x80\"", "\"\xED\xA0\x80\"", "\"\xF4\x90\x80\x80\"",
        "\"\xF5\x80\x80\x80\"", "\"\xE6\xBC\""})
    CHECK(!refusal([&] { string_of(text); }).empty());
}

CASE("whole numbers reach 2^64 - 1 and nothing else passes") {
  CHECK(JsonCursor("18446744073709551615").unsigned_integer() == 18446744073709551615ull);
  CHECK(JsonCursor("9007199254740993").unsigned_integer() == 9007199254740993ull);
  for (const char* text :
       {"18446744073709551616", "99999999999999999999", "-1", "-0", "1.5", "4e0", "\"2\"", "01", "", "x"})
    CHECK(!refusal([&] { JsonCursor(text).unsigned_integer(); }).empty());
}

CASE("values are checked though they are skipped") {
  for (const char* text : {"{}", "[]", " [1, -2.5e+3, true, false, null, \"x\", {\"a\": [0]}] ", "0", "-0"})
    CHECK(is_value(text));
  for (const char* text : {"", "{", "[1,]", "{\"a\"}", "{\"a\":1,}", "{a:1}", "tru", "NaN", "01", "1.", ".5",
                           "1e", "+1", "[1] 2", "'a'"})
    CHECK(!is_value(text));
}

CASE("nesting is limited, so depth cannot overflow the stack") {
  CHECK(is_value(std::string(63, '[') + std::string(63, ']')));
  CHECK(!is_value(std::string(100'000, '[')));
}

CASE("a refusal names the byte") {
  CHECK(refusal([] { JsonCursor("{\"a\" 1}").skip_value(); }) == "':' is missing at byte 5");
}

MAIN
