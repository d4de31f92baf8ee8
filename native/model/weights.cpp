#include "weights.h"

#include <map>
#include <set>

#include "../failure.h"
#include "names.h"

namespace distiltune::model {
namespace {

using files::TensorInfo;
using files::TensorSource;

constexpr size_t word_embeddings = 0;  // place in parameters()

bool is_head(const std::string& name) {
  return name.rfind("pre_classifier.", 0) == 0 || name.rfind("classifier.", 0) == 0;
}

std::string few(const std::vector<std::string>& names) {
  constexpr size_t shown = 5;
  std::string text;
  for (size_t i = 0; i < names.size() && i < shown; ++i) text += (i ? ", " : "") + files::shown(names[i]);
  return names.size() > shown ? text + " and " + std::to_string(names.size() - shown) + " more" : text;
}

void check_shape(const TensorSource& file, size_t place, const std::vector<uint64_t>& expected) {
  const TensorInfo& tensor = file.tensors()[place];
  if (tensor.shape != expected)
    throw Failure(
        "TENSOR_SHAPE",
        files::shown(tensor.name) + " in " + file.path() + " is " + files::shape_text(tensor.shape) +
            ", expected " + files::shape_text(expected) + " after config.json",
        "config.json and the weights must come from one model; check its sizes and its number of labels");
}

void check_tensor(const TensorSource& file, size_t place, const std::vector<uint64_t>& expected) {
  check_shape(file, place, expected);
  files::require_float(file.tensors()[place], file.path());
}

/** Ends the name of the scales of a matrix of 8-bit numbers. */
const std::string scale_suffix = "_scale";

struct Contents {
  std::map<std::string, size_t> parameters;  // Transformers' name -> place in the file
  std::map<std::string, size_t> scales;      // of the parameter of that name
  std::optional<size_t> token_types;
  std::vector<std::string> ignored;
};

/** `text` without `end`; empty where it does not end so. */
std::string without(const std::string& text, const std::string& end) {
  const bool ends = text.size() > end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
  return ends ? text.substr(0, text.size() - end.size()) : std::string();
}

/** What each of the file's tensors is; refuses what a DistilBERT classifier does not know. */
Contents sort_out(const TensorSource& file, const std::vector<ParameterInfo>& wanted) {
  std::set<std::string> known;
  for (const ParameterInfo& parameter : wanted) known.insert(parameter.name);

  Contents contents;
  std::vector<std::string> keys, unexpected;
  for (const TensorInfo& tensor : file.tensors()) keys.push_back(tensor.name);
  const Naming naming = naming_of(keys);
  for (size_t place = 0; place < keys.size(); ++place) {
    const std::string& key = keys[place];
    const Role role = role_of(key, naming);
    if (naming == Naming::bare_distilbert && is_head(key))
      // Transformers too takes such a file for damaged (modeling_utils.py, "state dictionary ... corrupted").
      throw Failure("TENSOR_UNEXPECTED",
                    files::shown(key) + " in " + file.path() +
                        " is a classifier's head, but the encoder beside it lacks the prefix `distilbert.`",
                    "save the whole classifier, or its encoder alone, with save_pretrained");
    if (role.kind == Role::ignored) {
      contents.ignored.push_back(key);
    } else if (role.kind == Role::token_types) {
      contents.token_types = place;
    } else if (const std::string matrix = without(role.parameter, scale_suffix); known.count(matrix) != 0) {
      contents.scales.emplace(matrix, place);
    } else if (known.count(role.parameter) == 0) {
      unexpected.push_back(key);
    } else if (const auto [same, added] = contents.parameters.emplace(role.parameter, place); !added) {
      throw Failure("TENSOR_UNEXPECTED", files::shown(key) + " and " + files::shown(keys[same->second]) +
                                             " in " + file.path() + " are both " + role.parameter);
    }
  }
  if (!unexpected.empty())
    throw Failure("TENSOR_UNEXPECTED",
                  few(unexpected) + " in " + file.path() +
                      ": not part of the DistilBERT classifier that config.json describes",
                  "config.json and the weights must come from one model; check n_layers and model_type");
  return contents;
}

/** BERT adds (word + type) + position; row 0 of the types added to every word gives DistilBERT the same sums,
 * bit for bit. */
void add_token_type(const TensorSource& file, size_t types, const Shape& shape, float* words) {
  std::vector<float> rows(static_cast<size_t>(file.tensors()[types].count));
  file.read(types, rows.data());
  for (int64_t word = 0; word < shape.vocab_size; ++word)
    for (int64_t i = 0; i < shape.dim; ++i) words[word * shape.dim + i] += rows[static_cast<size_t>(i)];
}

}  // namespace

std::vector<ParameterInfo> parameters(const Shape& shape) {
  std::vector<ParameterInfo> all;
  const auto matrix = [&](const std::string& name, int64_t rows, int64_t cols) {
    all.push_back({name + ".weight", rows, cols, true});
  };
  const auto linear = [&](const std::string& name, int64_t outputs, int64_t inputs) {
    matrix(name, outputs, inputs);
    all.push_back({name + ".bias", outputs, 0, false});
  };
  const auto layer_norm = [&](const std::string& name) {
    all.push_back({name + ".weight", shape.dim, 0, false});
    all.push_back({name + ".bias", shape.dim, 0, false});
  };
  matrix("distilbert.embeddings.word_embeddings", shape.vocab_size, shape.dim);
  matrix("distilbert.embeddings.position_embeddings", shape.max_positions, shape.dim);
  layer_norm("distilbert.embeddings.LayerNorm");
  for (int64_t i = 0; i < shape.layers; ++i) {
    const std::string layer = "distilbert.transformer.layer." + std::to_string(i) + ".";
    for (const char* name : {"q_lin", "k_lin", "v_lin", "out_lin"})
      linear(layer + "attention." + name, shape.dim, shape.dim);
    layer_norm(layer + "sa_layer_norm");
    linear(layer + "ffn.lin1", shape.hidden_dim, shape.dim);
    linear(layer + "ffn.lin2", shape.dim, shape.hidden_dim);
    layer_norm(layer + "output_layer_norm");
  }
  linear("pre_classifier", shape.dim, shape.dim);
  linear("classifier", shape.labels, shape.dim);
  return all;
}

WeightsFile::WeightsFile(const std::string& path, const Shape& shape) : shape_(shape) {
  check(shape);
  file_ = files::open_tensors(path);
  const std::vector<ParameterInfo> wanted = parameters(shape);
  Contents contents = sort_out(*file_, wanted);
  loaded_.ignored = std::move(contents.ignored);
  token_types_ = contents.token_types;

  std::vector<std::string> missing;
  for (const ParameterInfo& parameter : wanted) {
    const auto found = contents.parameters.find(parameter.name);
    scales_.emplace_back();
    if (found == contents.parameters.end()) {
      places_.emplace_back();
      (is_head(parameter.name) ? loaded_.initialized : missing).push_back(parameter.name);
      continue;
    }
    places_.emplace_back(found->second);
    const auto scale = contents.scales.find(parameter.name);
    if (parameter.cols > 0 && scale != contents.scales.end() &&
        file_->tensors()[found->second].dtype == "I8") {
      check_shape(*file_, found->second, parameter.sizes());
      check_tensor(*file_, scale->second, {static_cast<uint64_t>(parameter.rows)});
      scales_.back() = scale->second;
      contents.scales.erase(scale);
      continue;
    }
    check_tensor(*file_, found->second, parameter.sizes());
  }
  if (!missing.empty())
    throw Failure("TENSOR_MISSING",
                  few(missing) + (missing.size() > 1 ? " are" : " is") + " missing in " + path,
                  "config.json and the weights must come from one DistilBERT or BERT model");
  if (!contents.scales.empty())
    throw Failure("TENSOR_UNEXPECTED", files::shown(contents.scales.begin()->first + scale_suffix) + " in " +
                                           path + " are the scales of no 8-bit matrix there");
  if (token_types_) {
    const std::vector<uint64_t>& rows_by_dim = file_->tensors()[*token_types_].shape;
    const bool some_rows = rows_by_dim.size() == 2 && rows_by_dim[0] > 0;
    check_tensor(*file_, *token_types_, {some_rows ? rows_by_dim[0] : 2, static_cast<uint64_t>(shape.dim)});
  }
}

bool WeightsFile::read_int8(size_t place, int8_t* out, float* scales) const {
  if (!scales_[place] || (place == word_embeddings && token_types_)) return false;
  file_->read_int8(*places_[place], out);
  file_->read(*scales_[place], scales);
  return true;
}

bool WeightsFile::read(size_t place, float* out) const {
  if (!places_[place]) return false;
  if (scales_[place])
    read_products(place, out);
  else
    file_->read(*places_[place], out);
  if (place == word_embeddings && token_types_) add_token_type(*file_, *token_types_, shape_, out);
  return true;
}

void WeightsFile::read_products(size_t place, float* out) const {
  const files::TensorInfo& matrix = file_->tensors()[*places_[place]];
  const auto rows = static_cast<size_t>(matrix.shape[0]), cols = static_cast<size_t>(matrix.shape[1]);
  std::vector<int8_t> values(rows * cols);
  std::vector<float> scales(rows);
  file_->read_int8(*places_[place], values.data());
  file_->read(*scales_[place], scales.data());
  for (size_t row = 0; row < rows; ++row)
    for (size_t i = row * cols; i < (row + 1) * cols; ++i)
      out[i] = static_cast<float>(values[i]) * scales[row];
}

Loaded load_weights(const std::string& path, const Shape& shape, float* const* destinations) {
  const WeightsFile file(path, shape);
  const auto count =
      static_cast<size_t>(embedding_parameters + layer_parameters * shape.layers + head_parameters);
  for (size_t place = 0; place < count; ++place) file.read(place, destinations[place]);
  return file.loaded();
}

}  // namespace distiltune::model
