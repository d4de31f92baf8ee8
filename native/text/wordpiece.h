#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace distiltune::text {

/** Hash of a string, fed one UTF-16 code unit after the other. */
class Hash {
 public:
  void add(char16_t unit) { state_ = (state_ ^ unit) * 0x9E3779B97F4A7C15u; }
  uint32_t value() const { return static_cast<uint32_t>(state_ >> 32); }

 private:
  uint64_t state_ = 0x243F6A8885A308D3u;
};

/** Strings and their ids, asked for with a hash the caller has already fed. */
class Pieces {
 public:
  /** Room for `count` strings. */
  explicit Pieces(size_t count);

  /** Of equal strings the last one counts. */
  void insert(std::u16string_view piece, int32_t id);
  /** -1 when it is not there. */
  int32_t find(const char16_t* units, size_t length, uint32_t hash) const {
    for (uint32_t at = hash >> shift_;; at = (at + 1) & mask_) {
      const Slot& slot = slots_[at];
      if (slot.id < 0) return -1;
      if (slot.hash == hash && slot.length == length && equal(slot, units)) return slot.id;
    }
  }
  /** Code units of the longest piece. */
  size_t longest() const { return longest_; }

 private:
  struct Slot {
    uint32_t hash = 0;
    int32_t id = -1;
    uint32_t start = 0;  // in text_
    uint32_t length = 0;
  };

  bool equal(const Slot& slot, const char16_t* units) const {
    return std::u16string_view(text_.data() + slot.start, slot.length) ==
           std::u16string_view(units, slot.length);
  }

  std::vector<Slot> slots_;  // a power of two, at most half full
  std::u16string text_;
  uint32_t mask_;
  uint32_t shift_;  // the high bits of a hash are its best ones
  size_t longest_ = 0;
};

/** A piece of a word and the code unit it ends before. */
struct Piece {
  int32_t id;
  int32_t end;
};

/** The vocabulary: ids of words, and of the pieces a word falls into. */
class WordPiece {
 public:
  /** The id of a token is its place in `tokens`; an empty token is a hole. */
  WordPiece(const std::vector<std::u16string>& tokens, const std::u16string& continuing_prefix);

  /** Id of a whole word, -1 when it is not in the vocabulary. */
  int32_t whole(const char16_t* units, size_t length, uint32_t hash) const {
    return words_.find(units, length, hash);
  }
  int32_t whole(std::u16string_view word) const;
  /** Greedy longest match from the left into `pieces` (replaced); false when a rest matches nothing: the word
   * is unknown. */
  bool split(std::u16string_view word, std::vector<Piece>& pieces) const;

 private:
  Pieces words_;
  Pieces continuations_;  // without their prefix
};

}  // namespace distiltune::text
