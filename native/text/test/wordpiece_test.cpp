#include "text/wordpiece.h"

#include "test/check.h"

using distiltune::text::Piece;
using distiltune::text::WordPiece;

namespace {

/** Ids of the pieces; {-1} when the word is unknown. */
std::vector<int32_t> ids(const WordPiece& vocabulary, std::u16string_view word) {
  std::vector<Piece> pieces;
  if (!vocabulary.split(word, pieces)) return {-1};
  std::vector<int32_t> result;
  for (const Piece& piece : pieces) result.push_back(piece.id);
  return result;
}

using Ids = std::vector<int32_t>;

}  // namespace

CASE("the longest piece is taken from the left, a rest that matches nothing makes the word unknown") {
  const WordPiece vocabulary({u"un", u"unaff", u"##aff", u"##able", u"##a", u"able"}, u"##");
  CHECK((ids(vocabulary, u"unaffable") == Ids{1, 3}));
  CHECK((ids(vocabulary, u"unable") == Ids{0, 3}));
  CHECK((ids(vocabulary, u"able") == Ids{5}));
  CHECK((ids(vocabulary, u"unx") == Ids{-1}));
  CHECK((ids(vocabulary, u"affable") == Ids{-1}));  // "##aff" cannot start a word
}

CASE("pieces end where their places say") {
  const WordPiece vocabulary({u"un", u"##able"}, u"##");
  std::vector<Piece> pieces;
  CHECK(vocabulary.split(u"unable", pieces));
  CHECK(pieces.size() == 2 && pieces[0].end == 2 && pieces[1].end == 6);
}

CASE("a surrogate pair is never cut") {
  const WordPiece vocabulary(
      {std::u16string(1, char16_t{0xD83D}), u"##" + std::u16string(1, char16_t{0xDE00}), u"x"}, u"##");
  CHECK((ids(vocabulary, u"\U0001F600") == Ids{-1}));
}

CASE("whole words are found, holes and prefixes alone are not, the last of equal tokens counts") {
  const WordPiece vocabulary({u"a", u"", u"##", u"a"}, u"##");
  CHECK(vocabulary.whole(u"a") == 3);
  CHECK(vocabulary.whole(u"") == -1);
  CHECK((ids(vocabulary, u"aa") == Ids{-1}));
}

CASE("any continuing prefix will do, none included") {
  CHECK((ids(WordPiece({u"a", u"@@b"}, u"@@"), u"ab") == Ids{0, 1}));
  CHECK((ids(WordPiece({u"a", u"b"}, u""), u"abba") == Ids{0, 1, 1, 0}));
}

CASE("a vocabulary finds each of many tokens again and nothing else") {
  std::vector<std::u16string> tokens;
  const auto name = [](int number) {
    std::u16string text;
    for (; number > 0; number /= 26) text += static_cast<char16_t>(u'a' + number % 26);
    return text + u'z';
  };
  for (int i = 0; i < 50000; ++i) tokens.push_back(name(i));
  const WordPiece vocabulary(tokens, u"##");
  for (int i = 0; i < 50000; ++i) {
    const int32_t found = vocabulary.whole(tokens[static_cast<size_t>(i)]);
    CHECK(found >= 0 && tokens[static_cast<size_t>(found)] == tokens[static_cast<size_t>(i)]);
    CHECK(vocabulary.whole(tokens[static_cast<size_t>(i)] + u'-') == -1);
  }
}

MAIN
