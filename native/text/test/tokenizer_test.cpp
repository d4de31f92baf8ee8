#include "text/tokenizer.h"

#include <random>
#include <thread>

#include "failure.h"
#include "test/check.h"
#include "text/characters.h"

using namespace distiltune::text;

namespace {

TokenizerSpec spec() {
  TokenizerSpec spec;
  spec.tokens = {u"[UNK]", u"[CLS]", u"[SEP]", u"[SEP]]", u"the", u"cat", u"##s", u"##cat", u".", u","};
  for (char16_t c = u'a'; c <= u'm'; ++c) spec.tokens.push_back({c});
  for (char16_t c = u'a'; c <= u'k'; ++c) spec.tokens.push_back({u'#', u'#', c});
  spec.normalizer = {true, true, true, true, 100};
  spec.unk_token = u"[UNK]";
  spec.cls_token = u"[CLS]";
  spec.sep_token = u"[SEP]";
  spec.special_tokens = {u"[SEP]", u"[SEP]]"};
  spec.continuing_prefix = u"##";
  return spec;
}

constexpr EncodeOptions kPlain{0, false, false, true};

Encoding encode(const Tokenizer& tokenizer, std::u16string_view text, EncodeOptions options = kPlain) {
  Encoding encoding;
  WordCache cache(3);
  tokenizer.encode(text, options, encoding, cache);
  return encoding;
}

bool same(const Encoding& a, const Encoding& b) {
  const auto equal = [](const Span& x, const Span& y) { return x.start == y.start && x.end == y.end; };
  return a.ids == b.ids && std::equal(a.spans.begin(), a.spans.end(), b.spans.begin(), b.spans.end(), equal);
}

/** Every character through the normaliser, every word through the vocabulary: what the ASCII path leaves out.
 */
class SlowTwin : public WordSink {
 public:
  explicit SlowTwin(const TokenizerSpec& spec)
      : vocabulary_(spec.tokens, spec.continuing_prefix), options_(spec.normalizer) {}

  Encoding encode(std::u16string_view text) {
    encoding_ = {};
    Normalizer normalizer(options_, *this);
    for (size_t at = 0; at < text.size(); ++at) {
      normalizer.add(text[at], {static_cast<int32_t>(at), static_cast<int32_t>(at + 1)});
    }
    normalizer.end_word();
    return encoding_;
  }

  void word(const Word& word) override {
    std::vector<Piece> pieces;
    if (word.units.empty() || !vocabulary_.split(word.units, pieces)) {
      encoding_.ids.push_back(0);
      encoding_.spans.push_back(word.place);
      return;
    }
    size_t start = 0;
    for (const Piece& piece : pieces) {
      const size_t end = static_cast<size_t>(piece.end);
      encoding_.ids.push_back(piece.id);
      encoding_.spans.push_back({word.sources[start].start, word.sources[end - 1].end});
      start = end;
    }
  }

 private:
  WordPiece vocabulary_;
  NormalizerOptions options_;
  Encoding encoding_;
};

std::u16string random_text(std::mt19937& random) {
  // Letters, capitals, punctuation, white space, controls; now and then a letter beyond ASCII, or a long
  // word.
  static const std::u16string characters =
      u"aaabcdefghijklmnTHECATS.,[]#-  \t\n\v\u007f\u0001\u00e9\u0301\u4e00";
  std::u16string text;
  for (unsigned left = random() % 80; left > 0; --left) text += characters[random() % characters.size()];
  if (random() % 8 == 0) text.insert(random() % (text.size() + 1), std::u16string(40 + random() % 80, u'a'));
  return text;
}

}  // namespace

CASE("the ASCII path gives what the normaliser and the vocabulary give") {
  std::mt19937 random(1);
  for (int settings = 0; settings < 16; ++settings) {
    TokenizerSpec varied = spec();
    varied.normalizer = {(settings & 1) != 0, (settings & 2) != 0, (settings & 4) != 0, (settings & 8) != 0,
                         settings % 3 == 0 ? 5 : 100};
    const Tokenizer tokenizer(varied);
    SlowTwin twin(varied);
    WordCache cache(4);  // so small that words drive one another out
    for (int i = 0; i < 2000; ++i) {
      const std::u16string text = random_text(random);
      CHECK(same(encode(tokenizer, text), twin.encode(text)));
      // The cache keeps ids alone, and what it has learned serves every later text.
      Encoding again;
      tokenizer.encode(text, {0, false, false, false}, again, cache);
      CHECK(again.ids == twin.encode(text).ids);
    }
  }
}

CASE("64 characters at once are what each of them is alone") {
  std::mt19937 random(4);
  for (int i = 0; i < 4000; ++i) {
    std::u16string text(1 + random() % kBlock, u' ');
    // Every unit there is, those of ASCII more often.
    for (char16_t& unit : text) unit = static_cast<char16_t>(random() % (random() % 2 ? 0x10000 : 0x100));
    for (const bool lowercase : {false, true}) {
      uint8_t bytes[kBlock], plain_bytes[kBlock];
      const Characters got = characters(text.data(), text.size(), lowercase, bytes),
                       want = plain_characters(text.data(), text.size(), lowercase, plain_bytes);
      CHECK(got.letters == want.letters && got.punctuation == want.punctuation && got.odd == want.odd);
      for (size_t at = 0; at < text.size(); ++at) {
        if (want.letters >> at & 1) CHECK(bytes[at] == plain_bytes[at]);
      }
    }
  }
}

CASE("a row cut at any length is the start of the whole row") {
  const Tokenizer tokenizer(spec());
  std::mt19937 random(2);
  for (int i = 0; i < 500; ++i) {
    const std::u16string text = random_text(random);
    const Encoding whole = encode(tokenizer, text);
    for (const int32_t longest : {2, 3, 10, 1000}) {
      const Encoding cut = encode(tokenizer, text, {longest, true, false, false});
      const size_t kept = std::min(whole.ids.size(), static_cast<size_t>(longest) - 2);
      CHECK(cut.ids.size() == kept + 2 && cut.ids.front() == 1 && cut.ids.back() == 2);
      CHECK(std::equal(cut.ids.begin() + 1, cut.ids.end() - 1, whole.ids.begin()));
      CHECK(cut.truncated[0] == (kept < whole.ids.size()));
      CHECK(cut.spans.empty());
    }
  }
}

CASE("of special tokens that start at one place the longest is taken") {
  const Tokenizer tokenizer(spec());
  const Encoding encoding = encode(tokenizer, u"a[SEP]]b[SEP][sep]", {0, false, true, true});
  CHECK((std::vector<int32_t>(encoding.ids.begin(), encoding.ids.begin() + 4) ==
         std::vector<int32_t>{10, 3, 11, 2}));
  CHECK(encoding.spans[1].start == 1 && encoding.spans[1].end == 7);
}

CASE("rows lie end to end") {
  const Tokenizer tokenizer(spec());
  Encoding encoding;
  WordCache cache;
  for (const std::u16string_view text : {u"the cats.", u"", u"cat"})
    tokenizer.encode(text, {0, true, true, false}, encoding, cache);
  CHECK((encoding.ids == std::vector<int32_t>{1, 4, 5, 6, 8, 2, 1, 2, 1, 5, 2}));
  CHECK((encoding.offsets == std::vector<int32_t>{0, 6, 8, 11}));
}

CASE("marks that change places leave their sources where they were, as in the reference") {
  // Class 216 of 1D165 is below 224 of 302E and 230 of 0301, so it moves to the front; 0301 is deleted.
  TokenizerSpec marks = spec();
  marks.tokens.push_back(u"a");
  marks.tokens.push_back(u"##\u302E");
  marks.tokens.push_back(u"##\U0001D165");
  const Tokenizer tokenizer(marks);
  const Encoding encoding = encode(tokenizer, u"a\u302E\u0301\U0001D165");
  const int32_t first = static_cast<int32_t>(marks.tokens.size()) - 3;
  CHECK((encoding.ids == std::vector<int32_t>{first, first + 2, first + 1}));
  CHECK(encoding.spans[1].start == 1 && encoding.spans[1].end == 2);  // the place of 302E
  CHECK(encoding.spans[2].start == 2 && encoding.spans[2].end == 3);  // the place of 0301
}

CASE("a vocabulary without a token it needs is refused by its name") {
  TokenizerSpec poor = spec();
  poor.sep_token = u"</s>";
  try {
    const Tokenizer tokenizer(poor);
    CHECK(!"it was taken");
  } catch (const distiltune::Failure& failure) {
    CHECK(failure.code == "VOCAB_INCOMPLETE");
    CHECK(std::string(failure.what()).find("</s>") != std::string::npos);
  }
}

CASE("threads share a tokenizer") {
  const Tokenizer tokenizer(spec());
  std::vector<Encoding> encodings(4);
  std::vector<std::thread> threads;
  for (Encoding& encoding : encodings) {
    threads.emplace_back([&] {
      std::mt19937 random(3);
      WordCache cache;
      for (int i = 0; i < 500; ++i) tokenizer.encode(random_text(random), kPlain, encoding, cache);
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const Encoding& encoding : encodings) CHECK(same(encoding, encodings[0]));
}

MAIN
