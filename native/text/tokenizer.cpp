#include "tokenizer.h"

#include <algorithm>
#include <limits>

#include "../failure.h"
#include "unicode_tables.h"

namespace distiltune::text {
namespace {

constexpr size_t kUnlimited = std::numeric_limits<size_t>::max();

struct CodePoint {
  char32_t c;
  size_t units;
};

CodePoint code_point_at(std::u16string_view text, size_t at) {
  const char16_t unit = text[at];
  if ((unit & 0xF800) != 0xD800) return {unit, 1};
  const bool paired = unit < 0xDC00 && at + 1 < text.size() && (text[at + 1] & 0xFC00) == 0xDC00;
  if (!paired) return {0xFFFD, 1};
  return {0x10000 + ((unit & char32_t{0x3FF}) << 10) + (text[at + 1] & char32_t{0x3FF}), 2};
}

/** For messages: what is not ASCII shows as '?'. */
std::string printable(const std::u16string& text) {
  std::string ascii;
  for (const char16_t unit : text) ascii += unit < 0x80 ? static_cast<char>(unit) : '?';
  return ascii;
}

}  // namespace

/** One row under way: words come in, ids go out until the limit is passed. */
class Row final : public WordSink {
 public:
  Row(const Tokenizer& tokenizer, const EncodeOptions& options, Encoding& encoding)
      : tokenizer_(tokenizer),
        options_(options),
        encoding_(encoding),
        normalizer_(tokenizer.normalizer_, *this) {}

  void encode(std::u16string_view text) {
    const size_t added = options_.add_special_tokens ? 2 : 0;
    if (options_.add_special_tokens) push(tokenizer_.cls_, {0, 0});
    if (options_.max_length > 0)
      limit_ = encoding_.ids.size() + static_cast<size_t>(options_.max_length) - added;
    split_at_special_tokens(text);
    encoding_.truncated.push_back(full());
    if (full()) {
      encoding_.ids.resize(limit_);
      if (options_.spans) encoding_.spans.resize(limit_);
    }
    if (options_.add_special_tokens) push(tokenizer_.sep_, {0, 0});
    if (encoding_.ids.size() > static_cast<size_t>(std::numeric_limits<int32_t>::max())) {
      throw Failure("BATCH_TOO_LARGE", "Expected a batch of at most 2147483647 tokens, got more",
                    "Encode the texts in several batches, or set maxLength");
    }
    encoding_.offsets.push_back(static_cast<int32_t>(encoding_.ids.size()));
  }

  void word(const Word& word) override {
    if (word.units.empty()) return push(tokenizer_.unk_, word.place);  // too long
    put(word.units, tokenizer_.vocabulary_.whole(word.units), word.place,
        [&](size_t start, size_t end) { return Span{word.sources[start].start, word.sources[end - 1].end}; });
  }

 private:
  /** One token more than fits: the row has been cut. */
  bool full() const { return encoding_.ids.size() > limit_; }

  void push(int32_t id, Span span) {
    encoding_.ids.push_back(id);
    if (options_.spans) encoding_.spans.push_back(span);
  }

  /** A word: its id where the vocabulary has it whole, else its pieces; `span_of(start, end)` places some of
   * its units. */
  template <class SpanOf>
  void put(std::u16string_view word, int32_t whole, Span place, SpanOf span_of) {
    if (whole >= 0) return push(whole, place);
    if (!tokenizer_.vocabulary_.split(word, pieces_)) return push(tokenizer_.unk_, place);
    size_t start = 0;
    for (const Piece& piece : pieces_) {
      push(piece.id, span_of(start, piece.end));
      start = piece.end;
    }
  }

  void split_at_special_tokens(std::u16string_view text) {
    size_t start = 0;
    for (size_t at = 0; options_.match_special_tokens && at < text.size() && !full();) {
      const Tokenizer::SpecialToken* special = nullptr;
      if (tokenizer_.starts_special_token_[text[at] & 0xFF])
        special = tokenizer_.special_token_at(text.substr(at));
      if (!special) {
        ++at;
        continue;
      }
      split_words(text.substr(0, at), start);
      start = at + special->text.size();
      push(special->id, {static_cast<int32_t>(at), static_cast<int32_t>(start)});
      at = start;
    }
    split_words(text, start);
  }

  /** text[at .. end) */
  void split_words(std::u16string_view text, size_t at) {
    while (at < text.size() && !full()) {
      const char16_t unit = text[at];
      if (unit >= 128) {
        at = slow_word(text, at);
        continue;
      }
      const Tokenizer::Ascii& ascii = tokenizer_.ascii_[unit];
      if (ascii.kind == Tokenizer::Ascii::kLetter) {
        at = ascii_word(text, at);
      } else {
        if (ascii.kind == Tokenizer::Ascii::kPunctuation) push(ascii.id, span(at, at + 1));
        ++at;
      }
    }
  }

  /** A word of ASCII letters and digits between ASCII separators or punctuation, else as slow_word. Returns
   * where it ends. */
  size_t ascii_word(std::u16string_view text, size_t start) {
    constexpr size_t kLongest = 64;
    char16_t folded[kLongest];
    Hash hash;
    const size_t longest =
        std::min(kLongest, static_cast<size_t>(tokenizer_.normalizer_.max_word_code_points));
    const size_t limit = std::min(text.size() - start, longest);
    size_t length = 0;
    for (; length < limit; ++length) {
      const char16_t unit = text[start + length];
      if (unit >= 128) return slow_word(text, start);
      const Tokenizer::Ascii& ascii = tokenizer_.ascii_[unit];
      if (ascii.kind != Tokenizer::Ascii::kLetter) break;
      folded[length] = ascii.folded;
      hash.add(ascii.folded);
    }
    const size_t end = start + length;
    if (end < text.size() && (text[end] >= 128 || !tokenizer_.ascii_[text[end]].ends_word()))
      return slow_word(text, start);
    put({folded, length}, tokenizer_.vocabulary_.whole(folded, length, hash.value()), span(start, end),
        [&](size_t from, size_t to) { return span(start + from, start + to); });
    return end;
  }

  /** Any code points up to the next place between words. Returns that place. */
  size_t slow_word(std::u16string_view text, size_t at) {
    do {
      const CodePoint next = code_point_at(text, at);
      normalizer_.add(next.c, span(at, at + next.units));
      at += next.units;
    } while (at < text.size() && !normalizer_.between_words());
    if (at == text.size()) normalizer_.end_word();
    return at;
  }

  static Span span(size_t start, size_t end) {
    return {static_cast<int32_t>(start), static_cast<int32_t>(end)};
  }

  const Tokenizer& tokenizer_;
  const EncodeOptions& options_;
  Encoding& encoding_;
  Normalizer normalizer_;
  size_t limit_ = kUnlimited;
  std::vector<Piece> pieces_;
};

Tokenizer::Tokenizer(const TokenizerSpec& spec)
    : normalizer_(spec.normalizer),
      vocabulary_(spec.tokens, spec.continuing_prefix),
      unk_(id_of(spec.unk_token)),
      cls_(id_of(spec.cls_token)),
      sep_(id_of(spec.sep_token)) {
  for (const std::u16string& token : spec.special_tokens) {
    special_tokens_.push_back({token, id_of(token)});
    starts_special_token_[token[0] & 0xFF] = true;
  }
  std::sort(special_tokens_.begin(), special_tokens_.end(),
            [](const SpecialToken& a, const SpecialToken& b) { return a.text.size() > b.text.size(); });

  for (char16_t c = 0; c < ascii_.size(); ++c) {
    const unicode::Record& record = unicode::record(c);
    Ascii& ascii = ascii_[c];
    ascii = {Ascii::kLetter, c, unk_};
    if (normalizer_.clean_text && (record.flags & unicode::kRemoved)) {
      ascii.kind = Ascii::kRemoved;
    } else if (record.flags & unicode::kWhiteSpace) {
      ascii.kind = Ascii::kSeparator;
    } else if (record.flags & unicode::kPunctuation) {
      ascii.kind = Ascii::kPunctuation;
      if (const int32_t id = vocabulary_.whole({&c, 1}); id >= 0) ascii.id = id;
    } else if (normalizer_.lowercase && record.lowercase_length == 1) {
      ascii.folded = static_cast<char16_t>(unicode::kMappings[record.lowercase]);
    }
  }
}

int32_t Tokenizer::id_of(const std::u16string& token) const {
  const int32_t id = vocabulary_.whole(token);
  if (id >= 0) return id;
  throw Failure("VOCAB_INCOMPLETE",
                "Expected the vocabulary to hold the token '" + printable(token) + "', it does not");
}

const Tokenizer::SpecialToken* Tokenizer::special_token_at(std::u16string_view text) const {
  for (const SpecialToken& special : special_tokens_) {
    if (text.substr(0, special.text.size()) == special.text) return &special;
  }
  return nullptr;
}

void Tokenizer::encode(std::u16string_view text, const EncodeOptions& options, Encoding& encoding) const {
  Row(*this, options, encoding).encode(text);
}

}  // namespace distiltune::text
