#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "normalize.h"
#include "word_cache.h"
#include "wordpiece.h"

namespace distiltune::text {

/** What a BERT tokenizer is made of; strings are valid UTF-16. */
struct TokenizerSpec {
  std::vector<std::u16string> tokens;  // of every id in order; empty for a hole
  NormalizerOptions normalizer;
  std::u16string unk_token;
  std::u16string cls_token;
  std::u16string sep_token;
  std::vector<std::u16string> special_tokens;  // matched in raw text
  std::u16string continuing_prefix;
};

struct EncodeOptions {
  int32_t max_length;         // longest row, special tokens included; 0 for no limit, else at least 2
  bool add_special_tokens;    // [CLS] and [SEP] around each row
  bool match_special_tokens;  // special tokens spelt out in a text become their ids
  bool spans;
};

/** Rows laid end to end. Row r is ids[offsets[r] .. offsets[r + 1]). */
struct Encoding {
  std::vector<int32_t> ids;
  std::vector<int32_t> offsets{0};
  std::vector<uint8_t> truncated;  // one a row
  std::vector<Span> spans;         // one an id where asked for; {0, 0} for added specials
};

/** Raw text to rows of ids, exactly as the reference's fast DistilBERT tokenizer. Safe to share between
 * threads. */
class Tokenizer {
 public:
  /** Throws VOCAB_INCOMPLETE where [UNK], [CLS], [SEP] or a special token is not in the vocabulary. */
  explicit Tokenizer(const TokenizerSpec& spec);

  /**
   * Appends one row. Any sequence of code units will do: lone surrogates count as U+FFFD. Linear in the
   * length of the text, and stops behind the first token that no longer fits. `cache` is of this tokenizer
   * alone. Throws BATCH_TOO_LARGE above 2^31 - 1 tokens in all rows.
   */
  void encode(std::u16string_view text, const EncodeOptions& options, Encoding& encoding,
              WordCache& cache) const;

 private:
  friend class Row;

  struct SpecialToken {
    std::u16string text;
    int32_t id;
  };
  /** What an ASCII character does, the options applied. */
  struct Ascii {
    enum Kind : uint8_t { kLetter, kPunctuation, kSeparator, kRemoved } kind;
    char16_t folded;
    int32_t id;  // of a punctuation character

    bool ends_word() const { return kind == kPunctuation || kind == kSeparator; }
  };

  /** Where a special token may start in `text` from `at` on; its length where none does. */
  size_t next_special_start(std::u16string_view text, size_t at) const;
  /** The longest special token that starts `text`; null when none does. */
  const SpecialToken* special_token_at(std::u16string_view text) const;
  int32_t id_of(const std::u16string& token) const;

  NormalizerOptions normalizer_;
  WordPiece vocabulary_;
  int32_t unk_;
  int32_t cls_;
  int32_t sep_;
  std::vector<SpecialToken> special_tokens_;  // longest first
  std::u16string special_starts_;             // first code unit of each, no two the same
  std::array<Ascii, 128> ascii_;
};

}  // namespace distiltune::text
