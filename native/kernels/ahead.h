#pragma once
#include <cstdint>

#if defined(_MSC_VER) && defined(_M_X64)
#include <immintrin.h>
#endif

namespace distiltune::kernels {

/** What the caller of a product will read after it: asked for bit by bit while the product lasts, so that it
 * comes from memory meanwhile. Changes no result. */
struct Ahead {
  const void* from = nullptr;
  int64_t bytes = 0;  // of a row
  int64_t rows = 1;
  int64_t stride = 0;  // bytes between rows
};

/** The cache lines of what lies ahead, dealt out evenly over the turns of a product's loops. Small and
 * without a name outside, so that each instruction set compiles its own. */
namespace {
class Lines {
 public:
  Lines(Ahead ahead, int64_t turns)
      : next_(static_cast<const char*>(ahead.from)),
        end_(next_ + ahead.bytes),
        bytes_(ahead.bytes),
        stride_(ahead.stride),
        each_((ahead.rows * ahead.bytes + turns * line_bytes - 1) / (turns * line_bytes)) {}

  /** Of a turn. */
  int64_t each() const { return each_; }
  /** Asks for the next line, into the second-level cache. */
  void fetch() {
#if defined(__GNUC__)
    __builtin_prefetch(next_, 0, 2);
#elif defined(_MSC_VER) && defined(_M_X64)
    _mm_prefetch(next_, _MM_HINT_T1);
#endif
    next_ += line_bytes;
    if (next_ >= end_) {
      end_ += stride_;
      next_ = end_ - bytes_;
    }
  }
  void fetch_turn() {
    for (int64_t line = 0; line < each_; ++line) fetch();
  }

 private:
  static constexpr int64_t line_bytes = 64;
  const char *next_, *end_;
  int64_t bytes_, stride_;
  int64_t each_;
};
}  // namespace

}  // namespace distiltune::kernels
