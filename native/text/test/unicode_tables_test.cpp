#include "text/unicode_tables.h"

#include "test/check.h"

using namespace distiltune::text::unicode;

namespace {

bool has(char32_t c, Flag flag) { return (record(c).flags & flag) != 0; }

}  // namespace

CASE("tables follow the reference where it differs from today's Unicode") {
  CHECK(has(0x166D, kPunctuation));                  // a symbol since Unicode 12
  CHECK(has(0x2E42, kPunctuation));                  // of Unicode 7
  CHECK(!has(0x2E43, kPunctuation));                 // of Unicode 9
  CHECK(!has(0x08E2, kRemoved));                     // a format character of Unicode 9
  CHECK(!has(0x0378, kRemoved));                     // unassigned
  CHECK(has(0x1734, kMark));                         // a spacing mark since Unicode 14
  CHECK(record(0x11938).decomposition_length == 0);  // decomposes since Unicode 13
  CHECK(record(0x1DF6).combining_class == 0);        // 232 since Unicode 10
  CHECK(!has(0x2B820, kChinese) && has(0x2B920, kChinese));
}

CASE("a code point that ends a word has combining class 0, so that marks never wait across words") {
  for (char32_t c = 0; c <= 0x10FFFF; ++c) {
    if (has(c, kWhiteSpace) || has(c, kChinese) || has(c, kPunctuation))
      CHECK(record(c).combining_class == 0);
  }
}

CASE("a decomposition is complete: none of its code points decomposes again") {
  for (char32_t c = 0; c <= 0x10FFFF; ++c) {
    const Record& r = record(c);
    for (unsigned i = 0; i < r.decomposition_length; ++i) {
      CHECK(record(kMappings[r.decomposition + i]).decomposition_length == 0);
    }
  }
}

CASE("ASCII keeps its length in lower case") {
  for (char32_t c = 0; c < 128; ++c) {
    const Record& r = record(c);
    const bool capital = c >= 'A' && c <= 'Z';
    CHECK(r.decomposition_length == 0);
    CHECK(r.lowercase_length == (capital ? 1 : 0));
    if (capital) CHECK(kMappings[r.lowercase] == c + 32);
  }
}

MAIN
