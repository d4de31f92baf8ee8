#include "json.h"

#include <limits>

#include "utf8.h"

namespace distiltune::files {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

void append_code_point(std::string& out, uint32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xC0 | (c >> 6));
    out += static_cast<char>(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    out += static_cast<char>(0xE0 | (c >> 12));
    out += static_cast<char>(0x80 | ((c >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (c & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | (c >> 18));
    out += static_cast<char>(0x80 | ((c >> 12) & 0x3F));
    out += static_cast<char>(0x80 | ((c >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (c & 0x3F));
  }
}

}  // namespace

void JsonCursor::fail(const std::string& reason) const { throw JsonError(reason, at_); }

char JsonCursor::peek() {
  while (at_ < text_.size() &&
         (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n' || text_[at_] == '\r'))
    ++at_;
  return at_ < text_.size() ? text_[at_] : '\0';
}

bool JsonCursor::accept(char c) {
  if (peek() != c || at_ == text_.size()) return false;
  ++at_;
  return true;
}

void JsonCursor::expect(char c) {
  if (!accept(c)) fail(std::string("'") + c + "' is missing");
}

void JsonCursor::expect_end() {
  peek();
  if (at_ != text_.size()) fail("there is text after the end");
}

void JsonCursor::literal(std::string_view word) {
  if (text_.substr(at_, word.size()) != word) fail("this is not JSON");
  at_ += word.size();
}

bool JsonCursor::accept_null() {
  if (peek() != 'n') return false;
  literal("null");
  return true;
}

uint64_t JsonCursor::unsigned_integer() {
  if (!is_digit(peek())) fail("a whole number from 0 is missing");
  constexpr uint64_t largest = std::numeric_limits<uint64_t>::max();
  const size_t start = at_;
  uint64_t value = 0;
  for (; at_ < text_.size() && is_digit(text_[at_]); ++at_) {
    const auto digit = static_cast<uint64_t>(text_[at_] - '0');
    if (value > (largest - digit) / 10) fail("a number is over 2^64 - 1");
    value = value * 10 + digit;
  }
  if (text_[start] == '0' && at_ - start > 1) fail("a number has a leading zero");
  if (at_ < text_.size() && (text_[at_] == '.' || text_[at_] == 'e' || text_[at_] == 'E'))
    fail("a number is not whole");
  return value;
}

void JsonCursor::skip_number() {
  if (text_[at_] == '-') ++at_;
  const auto digits = [this] {
    const size_t start = at_;
    while (at_ < text_.size() && is_digit(text_[at_])) ++at_;
    if (at_ == start) fail("this is not JSON");
  };
  const size_t start = at_;
  digits();
  if (text_[start] == '0' && at_ - start > 1) fail("a number has a leading zero");
  if (at_ < text_.size() && text_[at_] == '.') {
    ++at_;
    digits();
  }
  if (at_ < text_.size() && (text_[at_] == 'e' || text_[at_] == 'E')) {
    ++at_;
    if (at_ < text_.size() && (text_[at_] == '+' || text_[at_] == '-')) ++at_;
    digits();
  }
}

void JsonCursor::skip_value(int depth) {
  if (depth == 0) fail("values are nested too deep");
  switch (peek()) {
    case '{':
      expect('{');
      if (accept('}')) return;
      do {
        string();
        expect(':');
        skip_value(depth - 1);
      } while (accept(','));
      return expect('}');
    case '[':
      expect('[');
      if (accept(']')) return;
      do skip_value(depth - 1);
      while (accept(','));
      return expect(']');
    case '"':
      string();
      return;
    case 't':
      return literal("true");
    case 'f':
      return literal("false");
    case 'n':
      return literal("null");
    default:
      if (at_ == text_.size()) fail("a value is missing");
      return skip_number();
  }
}

std::string JsonCursor::string() {
  expect('"');
  std::string out;
  while (true) {
    if (at_ == text_.size()) fail("a string has no end");
    const auto c = static_cast<unsigned char>(text_[at_]);
    if (c == '"') break;
    if (c < 0x20) fail("a string holds a control character");
    if (c == '\\') {
      ++at_;
      append_escape(out);
    } else if (c < 0x80) {
      out += static_cast<char>(c);
      ++at_;
    } else {
      append_utf8_sequence(out);
    }
  }
  ++at_;
  return out;
}

uint32_t JsonCursor::hex4() {
  if (text_.size() - at_ < 4) fail("a string has no end");
  uint32_t value = 0;
  for (int i = 0; i < 4; ++i) {
    const char c = text_[at_++];
    const bool letter = (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    if (!letter && !is_digit(c)) fail("an escape is not four hexadecimal digits");
    value = value * 16 + static_cast<uint32_t>(letter ? (c | 0x20) - 'a' + 10 : c - '0');
  }
  return value;
}

void JsonCursor::append_escape(std::string& out) {
  static constexpr std::string_view names = "\"\\/bfnrt", values = "\"\\/\b\f\n\r\t";
  if (at_ == text_.size()) fail("a string has no end");
  const char c = text_[at_++];
  const size_t simple = names.find(c);
  if (simple != std::string_view::npos) {
    out += values[simple];
    return;
  }
  if (c != 'u') fail("an escape is unknown");
  uint32_t code = hex4();
  if (code >= 0xD800 && code < 0xDC00 && text_.substr(at_, 2) == "\\u") {
    at_ += 2;
    const uint32_t low = hex4();
    if (low < 0xDC00 || low > 0xDFFF) fail("a surrogate is alone");
    code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
  } else if (code >= 0xD800 && code <= 0xDFFF) {
    fail("a surrogate is alone");
  }
  append_code_point(out, code);
}

void JsonCursor::append_utf8_sequence(std::string& out) {
  const size_t length = utf8_sequence(text_, at_);
  if (length == 0) fail("text is not UTF-8");
  out.append(text_.substr(at_, length));
  at_ += length;
}

}  // namespace distiltune::files
