#include "files/pytorch_bin.h"

#include <algorithm>
#include <cstdlib>
#include <new>

#include "failure.h"
#include "test/check.h"
#include "test/files.h"

// How much memory hostile files get. What they are refused for is in test/30-model-hostile-*.test.ts.

using namespace distiltune;
using distiltune::test::TemporaryFolder;

namespace {

/** Bytes asked of operator new since reset(). */
struct {
  size_t live = 0, most_live = 0, largest = 0;
  void reset() { live = most_live = largest = 0; }
} memory;

// In front of each piece: its size, so that operator delete can take it off again.
constexpr size_t header = alignof(std::max_align_t);

}  // namespace

void* operator new(size_t size) {
  auto* piece = static_cast<char*>(std::malloc(header + size));
  if (!piece) throw std::bad_alloc();
  *reinterpret_cast<size_t*>(piece) = size;
  memory.live += size;
  memory.most_live = std::max(memory.most_live, memory.live);
  memory.largest = std::max(memory.largest, size);
  return piece + header;
}
void operator delete(void* memory_piece) noexcept {
  if (!memory_piece) return;
  char* piece = static_cast<char*>(memory_piece) - header;
  memory.live -= std::min(memory.live, *reinterpret_cast<size_t*>(piece));
  std::free(piece);
}
void operator delete(void* piece, size_t) noexcept { operator delete(piece); }

namespace {

std::string bytes_of(uint64_t value, size_t count) {
  std::string bytes;
  for (size_t i = 0; i < count; ++i) bytes += static_cast<char>(value >> (8 * i));
  return bytes;
}
std::string text(const std::string& text) { return "X" + bytes_of(text.size(), 4) + text; }
std::string integer(uint64_t value) { return "\x8A\x08" + bytes_of(value, 8); }
std::string pickle(const std::string& body) { return "\x80\x02" + body + "."; }
std::string repeated(const std::string& piece, size_t count) {
  std::string all;
  for (size_t i = 0; i < count; ++i) all += piece;
  return all;
}

/** A file of the form before torch 1.6 with `program` for its state dict, and no storages. */
std::string legacy(const std::string& program) {
  const std::string system =
      pickle("}(" + text("protocol_version") + "M\xE9\x03" + text("little_endian") + "\x88u");
  return "\x80\x02\x8A\x0A\x6C\xFC\x9C\x46\xF9\x20\x6A\xA8\x50\x19.\x80\x02M\xE9\x03." + system + program +
         pickle("]");
}

/** A zip whose directory of `length` bytes claims `count` members. */
std::string zip(uint64_t count, uint64_t length) {
  return "PK\x03\x04" + std::string(100, '\0') + "PK\x05\x06" + bytes_of(0, 4) + bytes_of(count, 2) +
         bytes_of(count, 2) + bytes_of(length, 4) + bytes_of(4, 4) + bytes_of(0, 2);
}

std::string storage(uint64_t count) {
  return "(" + text("storage") + "ctorch\nFloatStorage\n" + text("0") + text("cpu") + integer(count) + "NtQ";
}

std::string tensor(uint64_t count, const std::string& sizes, const std::string& strides) {
  return "}" + text("t") + "ctorch._utils\n_rebuild_tensor_v2\n(" + storage(count) + integer(0) + sizes +
         strides + "\x89" + "ccollections\nOrderedDict\n)Rt" + "Rs";
}

/** Opens a file of these bytes, which is refused with `reason`, and compares the memory that took with its
 * size. */
void check_memory(const std::string& bytes, const std::string& reason = {}) {
  TemporaryFolder folder;
  const std::string path = folder / "pytorch_model.bin";
  test::write_bytes(path, bytes);
  std::string code, message;
  memory.reset();
  try {
    const files::PytorchReader file(path);
  } catch (const Failure& failure) {
    code = failure.code;
    message = failure.what();
  }
  CHECK(code == "PYTORCH_BIN_INVALID" && message.find(reason) != std::string::npos);
  // The design's bars: no piece above 1.05 times the file, all together within twice the file and 1 MB. A
  // piece of 64 KiB, the reader's own buffer, is fine for any file.
  CHECK(memory.largest <= std::max<size_t>(bytes.size() * 105 / 100, 64u << 10));
  CHECK(memory.most_live <= 2 * bytes.size() + (1u << 20));
}

}  // namespace

CASE("a number that a small file names takes no memory") {
  const uint64_t huge = uint64_t{1} << 60;
  const auto one_tuple = [](uint64_t value) { return "(" + integer(value) + "t"; };
  check_memory(legacy(pickle("X\xFF\xFF\xFF\xFF" + std::string("abc"))), "claims a text of 4294967295 bytes");
  check_memory(legacy(pickle("Nr" + bytes_of(999'999, 4))), "makes more of the pickle");
  check_memory(legacy(pickle("Nr\xFF\xFF\xFF\xFF")), "puts too many values");
  check_memory(legacy(pickle(tensor(huge, one_tuple(1), one_tuple(1)))), "lists 0 storages");
  check_memory(legacy(pickle(tensor(huge, one_tuple(huge), one_tuple(huge)))), "makes a view past the end");
  check_memory(legacy(pickle(tensor(1, one_tuple(huge), one_tuple(0)))), "lists 0 storages");
  check_memory(zip(0xFFFF, 0xFFFFFFFF), "does not end where");
  check_memory(zip(10'000, 100), "directory is unsound");
}

CASE("what a large pickle is made of takes no more than the file does") {
  constexpr size_t most = 5'000'000;
  for (const char* piece :
       {"N", ")", "(", "]", "}", "K\x01", "h\x07", "U\x01x", "q\x07", "]q\x07", "(t", "h\x07\x85"})
    check_memory(legacy(pickle("Nq\x07" + repeated(piece, most / std::string(piece).size()))));
  std::string texts = "](", storages;
  for (int i = 0; i < 90'000; ++i) {
    texts += text("x" + std::to_string(i));
    storages +=
        "(" + text("storage") + "ctorch\nFloatStorage\n" + text(std::to_string(i)) + text("cpu") + "K\x01NtQ";
  }
  check_memory(legacy(pickle(texts + "e")), "makes more of the pickle");
  check_memory(legacy(pickle("Nq\x01" + repeated("(" + repeated("h\x01", 500) + "tq\x02", 3000))));
  check_memory(legacy(pickle("]" + repeated("Na", 200'000))), "makes more of the pickle");
  check_memory(legacy(pickle(text(std::string(most, 'x')) + text(std::string(most, 'y')))), "leaves values");
  check_memory(legacy(pickle(storages)));
}

MAIN
