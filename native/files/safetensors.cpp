#include "safetensors.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <unordered_set>

#include "../failure.h"
#include "half.h"
#include "json.h"

namespace distiltune::files {
namespace {

// The format allows 100,000,000 bytes and any number of tensors; a classifier needs some 20,000 bytes and 100
// tensors. Lower caps bound the memory that a hostile header takes.
constexpr uint64_t largest_header = 32u << 20;
constexpr size_t most_tensors = 100'000;
constexpr size_t most_dimensions = 64;  // torch's own limit

constexpr size_t floats_at_a_time = 1u << 18;  // through a buffer of 512 KiB, where a dtype is widened

[[noreturn]] void refuse(const std::string& path, const std::string& reason, const std::string& hint = {}) {
  throw Failure("SAFETENSORS_INVALID", path + " is not a sound safetensors file: " + reason, hint);
}

uint64_t little_endian(const unsigned char* bytes) {
  uint64_t value = 0;
  for (int i = 7; i >= 0; --i) value = value << 8 | bytes[i];
  return value;
}

/** Bits of an element; 0 for a name the format does not know. */
uint64_t width(const std::string& dtype) {
  static const std::map<std::string, uint64_t> widths = {
      {"BOOL", 8},    {"U8", 8},      {"I8", 8},          {"F8_E5M2", 8},    {"F8_E4M3", 8}, {"F8_E8M0", 8},
      {"I16", 16},    {"U16", 16},    {"F16", 16},        {"BF16", 16},      {"I32", 32},    {"U32", 32},
      {"F32", 32},    {"I64", 64},    {"U64", 64},        {"F64", 64},       {"C64", 64},    {"F4", 4},
      {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"F8_E4M3FNUZ", 8}, {"F8_E5M2FNUZ", 8}};
  const auto found = widths.find(dtype);
  return found == widths.end() ? 0 : found->second;
}

/** What a file that is no safetensors looks like from its first bytes, with the way out; empty if nothing
 * known. */
std::pair<const char*, const char*> other_format(std::string_view start) {
  const auto begins = [&](std::string_view magic) { return start.substr(0, magic.size()) == magic; };
  if (begins("version https://git-lfs"))
    return {"it is a Git-LFS pointer, not the file itself", "git lfs pull"};
  if (begins("\x1f\x8b")) return {"it is gzip-compressed", "unpack it with gunzip"};
  if (begins("PK\x03\x04"))
    return {"it is a zip archive, as pytorch_model.bin is", "save the model with safe_serialization=True"};
  if (begins("\x80\x02") || begins("\x80\x04"))
    return {"it is a Python pickle", "save the model with safe_serialization=True"};
  const size_t text = start.find_first_not_of(" \t\r\n\xEF\xBB\xBF");
  if (text != std::string_view::npos && (start.substr(text, 5) == "<html" || start.substr(text, 2) == "<!"))
    return {"it is an HTML page, perhaps of a failed download", "download the file again"};
  return {nullptr, nullptr};
}

bool multiply(uint64_t a, uint64_t b, uint64_t* product) {
  if (b != 0 && a > std::numeric_limits<uint64_t>::max() / b) return false;
  *product = a * b;
  return true;
}

std::vector<uint64_t> unsigned_array(JsonCursor& json, size_t most) {
  std::vector<uint64_t> values;
  json.expect('[');
  if (json.accept(']')) return values;
  do {
    if (values.size() == most) json.fail("an array has more than " + std::to_string(most) + " numbers");
    values.push_back(json.unsigned_integer());
  } while (json.accept(','));
  json.expect(']');
  return values;
}

TensorEntry parse_entry(JsonCursor& json, std::string name) {
  TensorEntry entry{std::move(name), {}, {}, 0, 0, 1};
  bool has_dtype = false, has_shape = false, has_offsets = false;
  const auto once = [&](bool& seen, const std::string& key) {
    if (seen) json.fail(shown(entry.name) + " has `" + key + "` twice");
    seen = true;
  };
  json.expect('{');
  if (!json.accept('}')) {
    do {
      const std::string key = json.string();
      json.expect(':');
      if (key == "dtype") {
        once(has_dtype, key);
        entry.dtype = json.string();
      } else if (key == "shape") {
        once(has_shape, key);
        entry.shape = unsigned_array(json, most_dimensions);
      } else if (key == "data_offsets") {
        once(has_offsets, key);
        const std::vector<uint64_t> offsets = unsigned_array(json, 2);
        if (offsets.size() != 2) json.fail(shown(entry.name) + " needs two data_offsets");
        entry.begin = offsets[0];
        entry.end = offsets[1];
      } else {
        json.skip_value();
      }
    } while (json.accept(','));
    json.expect('}');
  }
  if (!has_dtype || !has_shape || !has_offsets)
    json.fail(shown(entry.name) + " lacks dtype, shape or data_offsets");
  return entry;
}

void check_metadata(JsonCursor& json) {
  if (json.accept_null()) return;
  json.expect('{');
  if (json.accept('}')) return;
  do {
    json.string();
    json.expect(':');
    json.string();
  } while (json.accept(','));
  json.expect('}');
}

std::vector<TensorEntry> parse_header(std::string_view text) {
  std::vector<TensorEntry> tensors;
  std::unordered_set<std::string> keys;
  JsonCursor json(text);
  if (text.substr(0, 1) != "{") json.fail("the header does not start with '{'");
  json.expect('{');
  if (!json.accept('}')) {
    do {
      std::string key = json.string();
      json.expect(':');
      if (!keys.insert(key).second) json.fail(shown(key) + " is there twice");
      if (key == "__metadata__") {
        check_metadata(json);
        continue;
      }
      if (tensors.size() == most_tensors)
        json.fail("there are more than " + std::to_string(most_tensors) + " tensors");
      tensors.push_back(parse_entry(json, std::move(key)));
    } while (json.accept(','));
    json.expect('}');
  }
  json.expect_end();
  return tensors;
}

/** Sets entry.count; returns what is wrong, or nothing. */
std::string check_span(TensorEntry& entry, uint64_t expected_begin) {
  const std::string name = shown(entry.name) + " ";
  const uint64_t bits_each = width(entry.dtype);
  if (bits_each == 0) return name + "has the unknown dtype " + shown(entry.dtype);
  if (entry.begin != expected_begin || entry.end < entry.begin)
    return name + "spans bytes " + std::to_string(entry.begin) + " to " + std::to_string(entry.end) +
           ", expected a start at " + std::to_string(expected_begin) +
           ": tensors must follow one another without hole or overlap";
  uint64_t bits = 0;
  for (const uint64_t size : entry.shape)
    if (!multiply(entry.count, size, &entry.count)) return name + "has a shape beyond 2^64 values";
  if (!multiply(entry.count, bits_each, &bits)) return name + "has a shape beyond 2^64 bits";
  if (bits % 8 != 0 || bits / 8 != entry.end - entry.begin)
    return name + "has " + std::to_string(entry.end - entry.begin) + " bytes, expected " +
           std::to_string(bits) + " bits for " + entry.dtype + " " + shape_text(entry.shape);
  return {};
}

}  // namespace

std::string shape_text(const std::vector<uint64_t>& shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

std::string shown(const std::string& name) {
  size_t length = std::min<size_t>(name.size(), 120);
  while (length < name.size() && (static_cast<unsigned char>(name[length]) & 0xC0) == 0x80)
    --length;  // not within a character
  return "`" + name.substr(0, length) + (length < name.size() ? "...`" : "`");
}

SafetensorsReader::SafetensorsReader(const std::string& path) : file_(path) {
  std::string start(static_cast<size_t>(std::min<uint64_t>(file_.size(), 64)), '\0');
  file_.read(0, start.data(), start.size());
  if (const auto [format, hint] = other_format(start); format) refuse(path, format, hint);
  if (file_.size() < 8)
    refuse(path,
           "it has " + std::to_string(file_.size()) + " bytes, and the length of the header alone takes 8");
  const uint64_t length = little_endian(reinterpret_cast<const unsigned char*>(start.data()));
  if (length > largest_header)
    refuse(path, "its header claims " + std::to_string(length) + " bytes, at most " +
                     std::to_string(largest_header) + " are read");
  if (length > file_.size() - 8)
    refuse(path,
           "its header claims " + std::to_string(length) + " bytes, but only " +
               std::to_string(file_.size() - 8) + " follow",
           "the file may be cut short: copy or download it again");
  std::string header(static_cast<size_t>(length), '\0');
  file_.read(8, header.data(), header.size());
  data_start_ = 8 + length;

  try {
    tensors_ = parse_header(header);
  } catch (const JsonError& error) {
    refuse(path, std::string("in its header, ") + error.what());
  }
  std::sort(tensors_.begin(), tensors_.end(), [](const TensorEntry& a, const TensorEntry& b) {
    return a.begin != b.begin ? a.begin < b.begin : a.end != b.end ? a.end < b.end : a.name < b.name;
  });
  uint64_t end = 0;
  for (TensorEntry& entry : tensors_) {
    const std::string wrong = check_span(entry, end);
    if (!wrong.empty()) refuse(path, wrong);
    end = entry.end;
  }
  const uint64_t there = file_.size() - data_start_;
  if (end != there)
    refuse(path,
           "its tensors take " + std::to_string(end) + " bytes, but " + std::to_string(there) +
               " follow the header",
           end > there ? "the file is cut short: copy or download it again" : "");
}

void SafetensorsReader::read(const TensorEntry& entry, float* out) const {
  const uint64_t offset = data_start_ + entry.begin;
  if (entry.dtype == "F32") return file_.read(offset, out, static_cast<size_t>(entry.count) * sizeof(float));
  const bool half = entry.dtype == "F16";
  if (!half && entry.dtype != "BF16")
    throw Failure("TENSOR_DTYPE",
                  shown(entry.name) + " in " + path() + " is " + entry.dtype + ", expected F32, F16 or BF16");
  std::vector<uint16_t> buffer(std::min<size_t>(floats_at_a_time, static_cast<size_t>(entry.count)));
  for (uint64_t done = 0; done < entry.count;) {
    const auto count = static_cast<size_t>(std::min<uint64_t>(buffer.size(), entry.count - done));
    file_.read(offset + done * sizeof(uint16_t), buffer.data(), count * sizeof(uint16_t));
    for (size_t i = 0; i < count; ++i)
      out[done + i] = half ? half_to_float(buffer[i]) : bfloat_to_float(buffer[i]);
    done += count;
  }
}

}  // namespace distiltune::files
