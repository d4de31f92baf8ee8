#include "safetensors.h"

#include <algorithm>
#include <unordered_set>

#include "../failure.h"
#include "element.h"
#include "json.h"
#include "number.h"
#include "other_format.h"

namespace distiltune::files {
namespace {

// The format allows 100,000,000 bytes and any number of tensors; a classifier needs some 20,000 bytes and 100
// tensors. Lower caps bound the memory that a hostile header takes.
constexpr uint64_t largest_header = 32u << 20;

[[noreturn]] void refuse(const std::string& path, const std::string& reason, const std::string& hint = {}) {
  throw Failure("SAFETENSORS_INVALID", path + " is not a sound safetensors file: " + reason, hint);
}

/** One tensor as a header declares it. */
struct Entry {
  TensorInfo info;
  uint64_t begin;  // bytes from the start of the data block
  uint64_t end;
};

OtherFormat what_instead(std::string_view start) {
  constexpr const char* rename = "if it is weights that torch.save wrote, name it pytorch_model.bin";
  if (begins(start, "PK\x03\x04")) return {"it is a zip archive, as pytorch_model.bin is", rename};
  if (begins(start, "\x80\x02") || begins(start, "\x80\x04")) return {"it is a Python pickle", rename};
  return other_format(start);
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

Entry parse_entry(JsonCursor& json, std::string name) {
  Entry entry{{std::move(name), {}, {}, 1}, 0, 0};
  bool has_dtype = false, has_shape = false, has_offsets = false;
  const auto once = [&](bool& seen, const std::string& key) {
    if (seen) json.fail(shown(entry.info.name) + " has `" + key + "` twice");
    seen = true;
  };
  json.expect('{');
  if (!json.accept('}')) {
    do {
      const std::string key = json.string();
      json.expect(':');
      if (key == "dtype") {
        once(has_dtype, key);
        entry.info.dtype = json.string();
      } else if (key == "shape") {
        once(has_shape, key);
        entry.info.shape = unsigned_array(json, most_dimensions);
      } else if (key == "data_offsets") {
        once(has_offsets, key);
        const std::vector<uint64_t> offsets = unsigned_array(json, 2);
        if (offsets.size() != 2) json.fail(shown(entry.info.name) + " needs two data_offsets");
        entry.begin = offsets[0];
        entry.end = offsets[1];
      } else {
        json.skip_value();
      }
    } while (json.accept(','));
    json.expect('}');
  }
  if (!has_dtype || !has_shape || !has_offsets)
    json.fail(shown(entry.info.name) + " lacks dtype, shape or data_offsets");
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

std::vector<Entry> parse_header(std::string_view text) {
  std::vector<Entry> tensors;
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

/** Sets entry.info.count; returns what is wrong, or nothing. */
std::string check_span(Entry& entry, uint64_t expected_begin) {
  const std::string name = shown(entry.info.name) + " ";
  const uint64_t bits_each = bits_of(entry.info.dtype);
  if (bits_each == 0) return name + "has the unknown dtype " + shown(entry.info.dtype);
  if (entry.begin != expected_begin || entry.end < entry.begin)
    return name + "spans bytes " + std::to_string(entry.begin) + " to " + std::to_string(entry.end) +
           ", expected a start at " + std::to_string(expected_begin) +
           ": tensors must follow one another without hole or overlap";
  uint64_t bits = 0;
  for (const uint64_t size : entry.info.shape)
    if (!multiply(entry.info.count, size, &entry.info.count)) return name + "has a shape beyond 2^64 values";
  if (!multiply(entry.info.count, bits_each, &bits)) return name + "has a shape beyond 2^64 bits";
  if (bits % 8 != 0 || bits / 8 != entry.end - entry.begin)
    return name + "has " + std::to_string(entry.end - entry.begin) + " bytes, expected " +
           std::to_string(bits) + " bits for " + entry.info.dtype + " " + shape_text(entry.info.shape);
  return {};
}

}  // namespace

SafetensorsReader::SafetensorsReader(const std::string& path) : file_(path) {
  std::string start(static_cast<size_t>(std::min<uint64_t>(file_.size(), 64)), '\0');
  file_.read(0, start.data(), start.size());
  if (const OtherFormat other = what_instead(start); other.reason) refuse(path, other.reason, other.hint);
  if (file_.size() < 8)
    refuse(path,
           "it has " + std::to_string(file_.size()) + " bytes, and the length of the header alone takes 8");
  const uint64_t length = little_endian(reinterpret_cast<const unsigned char*>(start.data()), 8);
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
  const uint64_t data_start = 8 + length;

  std::vector<Entry> entries;
  try {
    entries = parse_header(header);
  } catch (const JsonError& error) {
    refuse(path, std::string("in its header, ") + error.what());
  }
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return a.begin != b.begin ? a.begin < b.begin
           : a.end != b.end   ? a.end < b.end
                              : a.info.name < b.info.name;
  });
  uint64_t end = 0;
  for (Entry& entry : entries) {
    const std::string wrong = check_span(entry, end);
    if (!wrong.empty()) refuse(path, wrong);
    end = entry.end;
  }
  const uint64_t there = file_.size() - data_start;
  if (end != there)
    refuse(path,
           "its tensors take " + std::to_string(end) + " bytes, but " + std::to_string(there) +
               " follow the header",
           end > there ? "the file is cut short: copy or download it again" : "");
  for (Entry& entry : entries) {
    begins_.push_back(data_start + entry.begin);
    tensors_.push_back(std::move(entry.info));
  }
}

void SafetensorsReader::read_floats(size_t place, float* out) const {
  files::read_floats(file_, begins_[place], tensors_[place].dtype, tensors_[place].count, out);
}

void SafetensorsReader::read_bytes(size_t place, int8_t* out) const {
  file_.read(begins_[place], out, static_cast<size_t>(tensors_[place].count));
}

}  // namespace distiltune::files
