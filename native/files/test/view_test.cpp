#include "files/view.h"

#include <limits>
#include <random>

#include "files/crc32.h"
#include "test/check.h"
#include "test/files.h"

using namespace distiltune;
using distiltune::test::TemporaryFolder;
using files::InputFile;
using files::TensorView;

namespace {

/** Writes 0, 1, 2, ... as F32, so that an element says where it came from; exact up to 2^24. */
void write_places(const std::string& path, size_t count) {
  std::vector<float> places(count);
  for (size_t i = 0; i < count; ++i) places[i] = static_cast<float>(i);
  test::write_bytes(path, {reinterpret_cast<const char*>(places.data()), count * sizeof(float)});
}

size_t count_of(const TensorView& view) {
  size_t count = 1;
  for (const uint64_t size : view.sizes) count *= size;
  return count;
}

/** The slow twin: element by element, in row-major order. */
std::vector<float> places_of(const TensorView& view) {
  std::vector<float> places;
  for (size_t i = 0; i < count_of(view); ++i) {
    uint64_t left = i, place = view.offset;
    for (size_t axis = view.sizes.size(); axis-- > 0; left /= view.sizes[axis])
      place += left % view.sizes[axis] * view.strides[axis];
    places.push_back(static_cast<float>(place));
  }
  return places;
}

bool is_read(const InputFile& file, const TensorView& view) {
  std::vector<float> values(count_of(view), -1.0f);
  files::read_view(file, view, values.data());
  return values == places_of(view);
}

}  // namespace

CASE("any view of a storage is gathered: random axes, orders, steps, repeats and overlaps") {
  TemporaryFolder folder;
  constexpr uint64_t elements = 5000;
  write_places(folder / "storage", elements);
  const InputFile file(folder / "storage");
  std::mt19937 random(42);
  for (int round = 0; round < 3000; ++round) {
    TensorView view{0, "F32", random() % 100, {}, {}};
    uint64_t last = view.offset;
    for (uint32_t axis = random() % 5; axis > 0; --axis) {
      const uint64_t size = random() % 6, stride = random() % 3 ? random() % 40 : random() % 900;
      if (size > 1 && last + (size - 1) * stride >= elements) continue;
      if (size > 1) last += (size - 1) * stride;
      view.sizes.push_back(size);
      view.strides.push_back(stride);
    }
    CHECK(is_read(file, view));
  }
}

CASE("views larger than the buffer are gathered: by columns, in steps, in blocks far apart, one by one") {
  TemporaryFolder folder;
  const uint64_t rows = 1500, columns = 1000;
  write_places(folder / "storage", rows * columns);
  const InputFile file(folder / "storage");
  CHECK(is_read(file, {0, "F32", 0, {rows, columns}, {columns, 1}}));
  CHECK(is_read(file, {0, "F32", 0, {columns, rows}, {1, columns}}));
  CHECK(is_read(file, {0, "F32", 7, {columns, 10, 75}, {1, 20 * columns, columns}}));
  CHECK(is_read(file, {0, "F32", 3, {rows * columns / 5 - 1}, {5}}));
  CHECK(is_read(file, {0, "F32", 0, {3, 2, 2}, {400'000, 1, 100}}));
  CHECK(is_read(file, {0, "F32", 0, {4, 3}, {1, 499'990}}));
  CHECK(is_read(file, {0, "F32", 5, {300'000, 4}, {1, 0}}));
  CHECK(is_read(file, {0, "F32", 5, {4, 300'000}, {0, 1}}));
  CHECK(is_read(file, {0, "F32", 0, {600'000, 2}, {1, 600'001}}));
}

CASE("a view of a sparse terabyte takes a moment") {
  TemporaryFolder folder;
  test::write_bytes(folder / "sparse", "x");
  std::error_code failed;
  std::filesystem::resize_file(folder / "sparse", uint64_t{1} << 40, failed);
  if (failed) return;  // no sparse files of that size on this disk
  std::vector<float> values(2 * 4096, -1.0f);
  files::read_view(InputFile(folder / "sparse"), {0, "F32", 4, {2, 4096}, {1, 1u << 26}}, values.data());
  CHECK(values == std::vector<float>(values.size(), 0.0f));
}

CASE("half types and float64 are converted where they are gathered") {
  TemporaryFolder folder;
  const double doubles[] = {1.0, 1.0 + 0x1p-24, 1.0 + 0x1.8p-23, -0x1p-149, 0x1p-151, 1e300};
  test::write_bytes(folder / "doubles", {reinterpret_cast<const char*>(doubles), sizeof doubles});
  std::vector<float> values(6);
  files::read_view(InputFile(folder / "doubles"), {0, "F64", 0, {2, 3}, {1, 2}}, values.data());
  // To nearest, ties to even: 1 + 2^-24 lies between 1 and the next float, 1 + 1.5 * 2^-23 between the next
  // two.
  const float inf = std::numeric_limits<float>::infinity();
  CHECK((values == std::vector<float>{1.0f, 1.0f + 0x1p-22f, 0.0f, 1.0f, -0x1p-149f, inf}));
  const uint16_t bfloats[] = {0x3F80, 0xC000, 0x0001, 0x7F80};
  test::write_bytes(folder / "bfloats", {reinterpret_cast<const char*>(bfloats), sizeof bfloats});
  values.resize(4);
  files::read_view(InputFile(folder / "bfloats"), {0, "BF16", 0, {2, 2}, {1, 2}}, values.data());
  CHECK((values == std::vector<float>{1.0f, 0x1p-133f, -2.0f, inf}));
}

CASE("checksums are those of the standard, in pieces too") {
  const auto* text = reinterpret_cast<const unsigned char*>("123456789");
  CHECK(files::crc32(text, 9) == 0xCBF43926);  // the check value of CRC-32/ISO-HDLC
  CHECK(files::crc32(text, 0) == 0);
  for (size_t cut = 0; cut <= 9; ++cut)
    CHECK(files::crc32(text + cut, 9 - cut, files::crc32(text, cut)) == 0xCBF43926);
}

MAIN
