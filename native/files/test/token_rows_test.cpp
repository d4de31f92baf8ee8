#include "files/token_rows.h"

#include <limits>
#include <random>

#include "failure.h"
#include "test/check.h"
#include "test/files.h"
#include "test/refusal.h"

using namespace distiltune;
using distiltune::test::code_of;
using distiltune::test::TemporaryFolder;
using files::TokenLayout;
using files::TokenRows;

namespace {

void append(std::string& bytes, uint64_t value, size_t width) {
  for (size_t i = 0; i < width; ++i) bytes.push_back(static_cast<char>(value >> 8 * i & 0xFF));
}

/** Ids, then offsets, as a token file has them. */
TokenLayout write_rows(const std::string& path, const std::vector<std::vector<int32_t>>& rows,
                       uint64_t id_bytes) {
  std::string ids = "header", offsets;
  uint64_t tokens = 0;
  append(offsets, 0, 8);
  for (const auto& row : rows) {
    for (const int32_t id : row) append(ids, static_cast<uint64_t>(id), id_bytes);
    append(offsets, tokens += row.size(), 8);
  }
  test::write_bytes(path, ids + offsets);
  return {rows.size(), tokens, id_bytes, 6, ids.size()};
}

std::vector<std::vector<int32_t>> random_rows(size_t count, int32_t most, std::mt19937& random) {
  std::vector<std::vector<int32_t>> rows(count);
  for (auto& row : rows) {
    row.resize(random() % 40);
    for (int32_t& id : row) id = static_cast<int32_t>(random() % static_cast<uint32_t>(most));
  }
  return rows;
}

}  // namespace

CASE("rows come in any order, repeated or not, of 2 and of 4 bytes an id") {
  TemporaryFolder folder;
  std::mt19937 random(42);
  for (const uint64_t id_bytes : {2, 4}) {
    const auto rows = random_rows(300, id_bytes == 2 ? 65536 : 2000000000, random);
    TokenRows file(folder / "tokens", write_rows(folder / "tokens", rows, id_bytes));
    std::vector<int32_t> lengths(rows.size());
    file.lengths(lengths.data());
    for (size_t row = 0; row < rows.size(); ++row)
      CHECK(lengths[row] == static_cast<int32_t>(rows[row].size()));
    std::vector<int32_t> wanted(1000), ids, offsets;
    for (int32_t& row : wanted) row = static_cast<int32_t>(random() % rows.size());
    file.read(wanted.data(), wanted.size(), ids, offsets);
    CHECK(offsets.size() == wanted.size() + 1);
    for (size_t i = 0; i < wanted.size(); ++i)
      CHECK(std::vector<int32_t>(ids.begin() + offsets[i], ids.begin() + offsets[i + 1]) ==
            rows[static_cast<size_t>(wanted[i])]);
    file.read(nullptr, 0, ids, offsets);
    CHECK(ids.empty() && offsets == std::vector<int32_t>{0});
  }
}

CASE("pages that were let go are read again") {
  TemporaryFolder folder;
  std::mt19937 random(1);
  const auto rows = random_rows(20000, 30000, random);
  TokenRows file(folder / "tokens", write_rows(folder / "tokens", rows, 2));
  std::vector<int32_t> ids, offsets;
  // Each read counts 128 KB at least, so that 64 MB are reached every five hundred.
  for (int round = 0; round < 5000; ++round) {
    const auto row = static_cast<int32_t>(random() % rows.size());
    file.read(&row, 1, ids, offsets);
    CHECK(ids == rows[static_cast<size_t>(row)]);
  }
}

CASE("a row that is not there, and a layout that does not fit, are refused") {
  TemporaryFolder folder;
  const std::string path = folder / "tokens";
  const TokenLayout layout = write_rows(path, {{1, 2}, {3}}, 2);
  const auto open_with = [&](auto change) {
    return code_of([&] {
      TokenLayout other = layout;
      change(other);
      TokenRows(path, other);
    });
  };
  constexpr uint64_t huge = std::numeric_limits<uint64_t>::max();
  CHECK(open_with([](TokenLayout&) {}) == "");
  CHECK(open_with([](TokenLayout& it) { it.rows += 1; }) == "TOKENS_INVALID");
  CHECK(open_with([](TokenLayout& it) { it.rows = huge; }) == "TOKENS_INVALID");
  CHECK(open_with([](TokenLayout& it) { it.tokens = huge / 2 + 1; }) == "TOKENS_INVALID");
  CHECK(open_with([](TokenLayout& it) { it.id_bytes = 3; }) == "TOKENS_INVALID");
  CHECK(open_with([](TokenLayout& it) { it.ids_at = huge; }) == "TOKENS_INVALID");
  CHECK(open_with([](TokenLayout& it) { it.offsets_at += 1; }) == "TOKENS_INVALID");
  CHECK(code_of([&] { TokenRows(folder / "missing", layout); }) == "FILE_NOT_FOUND");

  TokenRows file(path, layout);
  std::vector<int32_t> ids, offsets;
  for (const int32_t row : {-1, 2})
    CHECK(code_of([&] { file.read(&row, 1, ids, offsets); }) == "ROW_UNKNOWN");
}

CASE("offsets are hostile: any bytes are refused or read within the file") {
  TemporaryFolder folder;
  const std::string path = folder / "tokens";
  std::mt19937 random(7);
  const auto rows = random_rows(50, 30000, random);
  const TokenLayout layout = write_rows(path, rows, 2);
  const std::string whole = test::bytes_of(path);
  int refused = 0;
  for (int round = 0; round < 2000; ++round) {
    std::string bytes = whole;
    bytes[layout.offsets_at + random() % (bytes.size() - layout.offsets_at)] ^=
        static_cast<char>(1 + random() % 255);
    const std::string changed = folder / std::to_string(round);
    test::write_bytes(changed, bytes);
    TokenRows file(changed, layout);
    std::vector<int32_t> lengths(rows.size()), ids, offsets;
    refused += code_of([&] { file.lengths(lengths.data()); }) == "TOKENS_INVALID";
    for (int32_t row = 0; row < static_cast<int32_t>(rows.size()); ++row)
      code_of([&] { file.read(&row, 1, ids, offsets); });
    std::filesystem::remove(changed);
  }
  // Seven of eight bytes of an offset are beyond any count of tokens here.
  CHECK(refused > 1500);
}

MAIN
