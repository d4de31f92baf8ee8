#include "tokenizer.h"

#include <algorithm>
#include <limits>

#include "../failure.h"
#include "characters.h"
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
  Row(const Tokenizer& tokenizer, const EncodeOptions& options, Encoding& encoding, WordCache& cache)
      : tokenizer_(tokenizer),
        options_(options),
        encoding_(encoding),
        cache_(cache),
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
    for (size_t at = 0; options_.match_special_tokens && !full();) {
      at = tokenizer_.next_special_start(text, at);
      if (at == text.size()) break;
      const Tokenizer::SpecialToken* const special = tokenizer_.special_token_at(text.substr(at));
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
    while (at < text.size() && !full()) at = split_block(text, at);
  }

  /** A word of a block, or a punctuation character, which has no pair. */
  struct Found {
    ShortWord word;
    WordCache::Pair* pair;
    size_t start, length;
  };

  /** The words of some characters from `at` on. Returns where they end. */
  size_t split_block(std::u16string_view text, size_t at) {
    const size_t count = std::min(kBlock, text.size() - at);
    uint8_t bytes[kBlock + ShortWord::kLongest] = {};
    const Characters are = characters(text.data() + at, count, tokenizer_.normalizer_.lowercase, bytes);
    const uint64_t all = are.letters | are.punctuation | are.odd;
    const size_t longest =
        std::min(ShortWord::kLongest, static_cast<size_t>(tokenizer_.normalizer_.max_word_code_points));

    // All words are looked for before any is looked at: their entries come from the cache's far corners
    // meanwhile.
    Found found[kBlock];
    size_t words = 0, i = 0;
    bool closer = false;  // whether the word or character at i needs a closer look
    while (i < count && (all >> i) != 0) {
      i += lowest(all >> i);
      if (are.punctuation >> i & 1) {
        found[words++] = {{0, 0}, nullptr, at + i, 1};
        ++i;
        continue;
      }
      const uint64_t others = ~(are.letters >> i);
      const size_t length = std::min(others ? lowest(others) : kBlock, count - i), end = i + length;
      if (i > 0 && end == count && at + count < text.size()) break;  // it may go on in the next block
      closer = length == 0 || length > longest || (end < count && (are.odd >> end & 1));
      if (closer) break;
      const ShortWord word = ShortWord::of(bytes + i, length);
      found[words] = {word, &cache_.at(word), at + i, length};
      prefetch(found[words++].pair);
      i = end;
    }
    if (!closer && (i >= count || (all >> i) == 0)) i = count;

    for (size_t word = 0; word < words; ++word) put(found[word], text);
    if (!closer || full()) return at + i;
    return are.odd >> i & 1 ? odd_character(text, at + i) : ascii_word(text, at + i);
  }

  /** A control character, or one beyond ASCII. Returns where it, or the word that it is part of, ends. */
  size_t odd_character(std::u16string_view text, size_t at) {
    const char16_t unit = text[at];
    if (unit >= 128) return slow_word(text, at);
    return tokenizer_.ascii_[unit].kind == Tokenizer::Ascii::kLetter ? ascii_word(text, at) : at + 1;
  }

  void put(const Found& found, std::u16string_view text) {
    const Span place = span(found.start, found.start + found.length);
    if (!found.pair) return push(tokenizer_.ascii_[text[found.start]].id, place);
    const WordCache::Entry* const entry = found.pair->find(found.word);
    if (!entry) return learn(found.word, *found.pair, text, found.start);
    if (entry->count == 1) return push(entry->ids[0], place);
    if (options_.spans) return void(ascii_word(text, found.start));  // where pieces end is not kept
    encoding_.ids.insert(encoding_.ids.end(), entry->ids, entry->ids + entry->count);
  }

  /** Puts the word's ids out, and into `pair` where they fit. */
  void learn(const ShortWord& word, WordCache::Pair& pair, std::u16string_view text, size_t at) {
    const size_t before = encoding_.ids.size();
    ascii_word(text, at);
    const size_t count = encoding_.ids.size() - before;
    if (count > WordCache::Entry::kMostIds) return;
    WordCache::Entry entry;
    entry.word = word;
    entry.count = static_cast<uint32_t>(count);
    std::copy_n(encoding_.ids.begin() + static_cast<std::ptrdiff_t>(before), count, entry.ids);
    pair.put(entry);
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
  WordCache& cache_;
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
    if (special_starts_.find(token[0]) == std::u16string::npos) special_starts_ += token[0];
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

size_t Tokenizer::next_special_start(std::u16string_view text, size_t at) const {
  constexpr size_t kStride = 32;  // compared all at once, without a branch
  for (; at + kStride <= text.size(); at += kStride) {
    const char16_t* const from = text.data() + at;
    uint16_t found = 0;
    for (const char16_t start : special_starts_) {
      for (size_t i = 0; i < kStride; ++i) found = static_cast<uint16_t>(found | -(from[i] == start));
    }
    if (found) break;
  }
  return std::min(text.size(), text.find_first_of(special_starts_, at));
}

const Tokenizer::SpecialToken* Tokenizer::special_token_at(std::u16string_view text) const {
  for (const SpecialToken& special : special_tokens_) {
    if (text.substr(0, special.text.size()) == special.text) return &special;
  }
  return nullptr;
}

void Tokenizer::encode(std::u16string_view text, const EncodeOptions& options, Encoding& encoding,
                       WordCache& cache) const {
  Row(*this, options, encoding, cache).encode(text);
}

}  // namespace distiltune::text
