#include "wordpiece.h"

#include <algorithm>

namespace distiltune::text {
namespace {

uint32_t hash_of(std::u16string_view text) {
  Hash hash;
  for (const char16_t unit : text) hash.add(unit);
  return hash.value();
}

bool is_trail_surrogate(char16_t unit) { return (unit & 0xFC00) == 0xDC00; }

bool continues(std::u16string_view token, std::u16string_view prefix) {
  return token.size() > prefix.size() && token.substr(0, prefix.size()) == prefix;
}

size_t count_continuations(const std::vector<std::u16string>& tokens, std::u16string_view prefix) {
  return static_cast<size_t>(std::count_if(
      tokens.begin(), tokens.end(), [&](const std::u16string& token) { return continues(token, prefix); }));
}

}  // namespace

Pieces::Pieces(size_t count) {
  uint32_t bits = 4;
  while ((size_t{1} << bits) < 2 * count) ++bits;
  slots_.resize(size_t{1} << bits);
  mask_ = static_cast<uint32_t>(slots_.size() - 1);
  shift_ = 32 - bits;
}

void Pieces::insert(std::u16string_view piece, int32_t id) {
  const uint32_t hash = hash_of(piece);
  uint32_t at = hash >> shift_;
  while (slots_[at].id >= 0) {
    Slot& slot = slots_[at];
    if (slot.hash == hash && slot.length == piece.size() && equal(slot, piece.data())) {
      slot.id = id;
      return;
    }
    at = (at + 1) & mask_;
  }
  slots_[at] = {hash, id, static_cast<uint32_t>(text_.size()), static_cast<uint32_t>(piece.size())};
  text_ += piece;
  longest_ = std::max(longest_, piece.size());
}

WordPiece::WordPiece(const std::vector<std::u16string>& tokens, const std::u16string& continuing_prefix)
    : words_(tokens.size()), continuations_(count_continuations(tokens, continuing_prefix)) {
  for (size_t id = 0; id < tokens.size(); ++id) {
    const std::u16string_view token(tokens[id]);
    if (token.empty()) continue;
    words_.insert(token, static_cast<int32_t>(id));
    if (continues(token, continuing_prefix)) {
      continuations_.insert(token.substr(continuing_prefix.size()), static_cast<int32_t>(id));
    }
  }
}

int32_t WordPiece::whole(std::u16string_view word) const {
  return whole(word.data(), word.size(), hash_of(word));
}

bool WordPiece::split(std::u16string_view word, std::vector<Piece>& pieces) const {
  pieces.clear();
  std::vector<uint32_t> hashes(std::min(word.size(), std::max(words_.longest(), continuations_.longest())));
  for (size_t start = 0; start < word.size();) {
    const Pieces& vocabulary = start == 0 ? words_ : continuations_;
    const char16_t* const rest = word.data() + start;
    const size_t limit = std::min(word.size() - start, vocabulary.longest());
    Hash hash;
    for (size_t length = 1; length <= limit; ++length) {
      hash.add(rest[length - 1]);
      hashes[length - 1] = hash.value();
    }
    int32_t id = -1;
    size_t length = limit;
    for (; length > 0; --length) {
      const bool cuts_a_pair = start + length < word.size() && is_trail_surrogate(rest[length]);
      if (!cuts_a_pair && (id = vocabulary.find(rest, length, hashes[length - 1])) >= 0) break;
    }
    if (id < 0) return false;
    start += length;
    pieces.push_back({id, static_cast<int32_t>(start)});
  }
  return true;
}

}  // namespace distiltune::text
