#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace distiltune::text {

/** A stretch of a raw text in UTF-16 code units, end exclusive. */
struct Span {
  int32_t start;
  int32_t end;
};

struct NormalizerOptions {
  bool clean_text;            // delete control characters
  bool handle_chinese_chars;  // make each ideograph a word
  bool strip_accents;         // decompose, then delete non-spacing marks
  bool lowercase;
  int32_t max_word_code_points;  // of longer words nothing is kept but their count and place
};

/** One normalised word: cut at white space and around punctuation. */
struct Word {
  std::u16string units;       // empty when it is longer than max_word_code_points
  std::vector<Span> sources;  // of each unit
  int64_t code_points = 0;
  Span place{0, 0};
};

class WordSink {
 public:
  virtual void word(const Word& word) = 0;

 protected:
  ~WordSink() = default;
};

/**
 * The reference's BertNormalizer and BertPreTokenizer in one pass: code points of a raw text go in one by
 * one, whole words come out. Linear in the length of the text.
 */
class Normalizer {
 public:
  Normalizer(const NormalizerOptions& options, WordSink& sink) : options_(options), sink_(sink) {}

  /** `c` is a Unicode scalar value. */
  void add(char32_t c, Span source);
  /** Ends the word under way; due after the last code point of a text. */
  void end_word();
  bool between_words() const { return word_.code_points == 0 && marks_.empty(); }

 private:
  /** A code point that canonical ordering may move. */
  struct Mark {
    char32_t c;
    uint8_t combining_class;
    bool first;  // of what its source decomposes into
    Span source;
  };

  void decompose(char32_t c, Span source);
  void order(char32_t c, bool first, Span source);
  void release_marks();
  void fold(char32_t c, Span source);
  void append(char32_t c, Span source);
  void finish_word();

  const NormalizerOptions options_;
  WordSink& sink_;
  Word word_;
  std::vector<Mark> marks_;  // behind the last starter
  Span starter_{0, 0};       // source of that starter
};

}  // namespace distiltune::text
