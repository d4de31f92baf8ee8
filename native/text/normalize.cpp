#include "normalize.h"

#include <algorithm>

#include "unicode_tables.h"

namespace distiltune::text {

using unicode::Record;
using unicode::record;

void Normalizer::add(char32_t c, Span source) {
  const uint8_t flags = record(c).flags;
  if (options_.clean_text && (flags & unicode::kRemoved)) return;
  if (flags & unicode::kWhiteSpace) return end_word();
  const bool alone = options_.handle_chinese_chars && (flags & unicode::kChinese);
  if (alone) end_word();
  if (options_.strip_accents) {
    decompose(c, source);
  } else {
    fold(c, source);
  }
  if (alone) end_word();
}

void Normalizer::end_word() {
  release_marks();
  finish_word();
}

void Normalizer::decompose(char32_t c, Span source) {
  // Hangul syllables: the arithmetic of the Unicode Standard, section 3.12.
  constexpr char32_t kSyllables = 0xAC00, kLeading = 0x1100, kVowels = 0x1161, kTrailing = 0x11A7;
  constexpr char32_t kVowelCount = 21, kTrailingCount = 28, kSyllableCount = 11172;
  if (c >= kSyllables && c < kSyllables + kSyllableCount) {
    const char32_t syllable = c - kSyllables;
    order(kLeading + syllable / (kVowelCount * kTrailingCount), true, source);
    order(kVowels + syllable / kTrailingCount % kVowelCount, false, source);
    if (syllable % kTrailingCount) order(kTrailing + syllable % kTrailingCount, false, source);
    return;
  }
  const Record& r = record(c);
  if (r.decomposition_length == 0) return order(c, true, source);
  for (unsigned i = 0; i < r.decomposition_length; ++i) {
    order(unicode::kMappings[r.decomposition + i], i == 0, source);
  }
}

void Normalizer::order(char32_t c, bool first, Span source) {
  if (const uint8_t combining_class = record(c).combining_class) {
    marks_.push_back({c, combining_class, first, source});
    return;
  }
  release_marks();
  starter_ = source;
  if (!(record(c).flags & unicode::kMark)) fold(c, source);
}

void Normalizer::release_marks() {
  if (marks_.empty()) return;
  const auto lower_class = [](const Mark& a, const Mark& b) { return a.combining_class < b.combining_class; };
  if (!std::is_sorted(marks_.begin(), marks_.end(), lower_class)) {
    // The reference hands sources out by position: marks change places, their sources do not.
    std::vector<Span> sources{starter_};
    for (const Mark& mark : marks_) {
      if (mark.first) sources.push_back(mark.source);
    }
    std::stable_sort(marks_.begin(), marks_.end(), lower_class);
    size_t taken = 0;
    for (Mark& mark : marks_) mark.source = sources[mark.first ? ++taken : taken];
  }
  for (const Mark& mark : marks_) {
    if (!(record(mark.c).flags & unicode::kMark)) fold(mark.c, mark.source);
  }
  marks_.clear();
}

void Normalizer::fold(char32_t c, Span source) {
  const Record& r = record(c);
  if (!options_.lowercase || r.lowercase_length == 0) return append(c, source);
  for (unsigned i = 0; i < r.lowercase_length; ++i) append(unicode::kMappings[r.lowercase + i], source);
}

void Normalizer::append(char32_t c, Span source) {
  const bool alone = record(c).flags & unicode::kPunctuation;
  if (alone) finish_word();
  if (++word_.code_points == 1) word_.place.start = source.start;
  word_.place.end = source.end;
  if (word_.code_points > options_.max_word_code_points) {
    word_.units.clear();
    word_.sources.clear();
  } else if (c < 0x10000) {
    word_.units.push_back(static_cast<char16_t>(c));
    word_.sources.push_back(source);
  } else {
    word_.units.push_back(static_cast<char16_t>(0xD7C0 + (c >> 10)));
    word_.units.push_back(static_cast<char16_t>(0xDC00 + (c & 0x3FF)));
    word_.sources.insert(word_.sources.end(), 2, source);
  }
  if (alone) finish_word();
}

void Normalizer::finish_word() {
  if (word_.code_points == 0) return;
  sink_.word(word_);
  word_.units.clear();
  word_.sources.clear();
  word_.code_points = 0;
}

}  // namespace distiltune::text
