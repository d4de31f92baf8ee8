#include "shards.h"

#include <map>
#include <unordered_map>

#include "../failure.h"
#include "file.h"
#include "json.h"

namespace distiltune::files {
namespace {

constexpr uint64_t largest_index = 32u << 20;
// Each stays open. The largest models there are have some two hundred.
constexpr size_t most_shards = 500;

using WeightMap = std::unordered_map<std::string, std::string>;  // tensor -> file

[[noreturn]] void refuse(const std::string& path, const std::string& reason, const std::string& hint = {}) {
  throw Failure("WEIGHTS_INDEX_INVALID", path + " is not a sound index of weights: " + reason, hint);
}

/** Whether `name` is a file beside the index, of the form that the index is for. */
bool is_plain(const std::string& name, const std::string& extension) {
  return name.size() > extension.size() && name[0] != '.' &&
         name.find_first_of(std::string_view("/\\:\0", 4)) == std::string::npos &&
         name.compare(name.size() - extension.size(), extension.size(), extension) == 0;
}

WeightMap parse(const std::string& text) {
  WeightMap map;
  bool found = false;
  JsonCursor json(text);
  json.expect('{');
  if (!json.accept('}')) {
    do {
      const std::string key = json.string();
      json.expect(':');
      if (key != "weight_map") {
        json.skip_value();  // total_size among them: nothing is allocated after it
        continue;
      }
      if (found) json.fail("weight_map is there twice");
      found = true;
      json.expect('{');
      if (json.accept('}')) continue;
      do {
        std::string tensor = json.string();
        json.expect(':');
        std::string file = json.string();
        if (map.size() == most_tensors)
          json.fail("there are more than " + std::to_string(most_tensors) + " tensors");
        const auto [entry, added] = map.emplace(std::move(tensor), std::move(file));
        if (!added) json.fail(shown(entry->first) + " is there twice");
      } while (json.accept(','));
      json.expect('}');
    } while (json.accept(','));
    json.expect('}');
  }
  json.expect_end();
  if (!found) json.fail("there is no weight_map");
  return map;
}

WeightMap read_index(const std::string& path) {
  const InputFile file(path);
  if (file.size() > largest_index)
    refuse(path, "it has " + std::to_string(file.size()) + " bytes, at most " +
                     std::to_string(largest_index) + " are read");
  std::string text(static_cast<size_t>(file.size()), '\0');
  file.read(0, text.data(), text.size());
  try {
    return parse(text);
  } catch (const JsonError& error) {
    refuse(path, error.what());
  }
}

}  // namespace

ShardedReader::ShardedReader(const std::string& index) : path_(index) {
  const bool pickles = index.size() > 15 && index.compare(index.size() - 15, 15, ".bin.index.json") == 0;
  const std::string extension = pickles ? ".bin" : ".safetensors";
  const std::string folder = index.substr(0, index.find_last_of("/\\") + 1);
  WeightMap map = read_index(index);

  std::map<std::string, size_t> tensors_in;  // by name of the shard
  for (const auto& [tensor, file] : map) {
    if (!is_plain(file, extension))
      refuse(index, shown(tensor) + " is said to be in " + shown(file) +
                        ", which is not the plain name of a " + extension + " file");
    ++tensors_in[file];
  }
  if (tensors_in.size() > most_shards)
    refuse(index, "it names " + std::to_string(tensors_in.size()) + " files, at most " +
                      std::to_string(most_shards) + " are read");
  for (const auto& [file, count] : tensors_in) {
    try {
      shards_.push_back(open_tensors(folder + file));
    } catch (const Failure& failure) {
      if (failure.code != "FILE_NOT_FOUND") throw;
      refuse(index, "it names " + shown(file) + ", which is not in its folder",
             "copy or download all files of the model");
    }
    const std::vector<TensorInfo>& tensors = shards_.back()->tensors();
    for (size_t place = 0; place < tensors.size(); ++place) {
      const auto entry = map.find(tensors[place].name);
      if (entry == map.end() || entry->second != file)
        refuse(index, shown(tensors[place].name) + " is in " + shown(file) + ", but the index " +
                          (entry == map.end() ? "does not name it" : "says " + shown(entry->second)));
      tensors_.push_back(tensors[place]);
      places_.emplace_back(shards_.size() - 1, place);
    }
    // No name is in a shard twice, so only one that the shard lacks makes a difference.
    if (tensors.size() < count)
      refuse(index, shown(file) + " has " + std::to_string(tensors.size()) + " of the " +
                        std::to_string(count) + " tensors that the index says are in it");
  }
}

void ShardedReader::read_floats(size_t place, float* out) const {
  const auto [shard, there] = places_[place];
  shards_[shard]->read(there, out);
}

}  // namespace distiltune::files
