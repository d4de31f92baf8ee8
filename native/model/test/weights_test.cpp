#include "model/weights.h"

#include <algorithm>
#include <map>

#include "failure.h"
#include "files/safetensors.h"
#include "test/check.h"
#include "test/files.h"

using namespace distiltune;
using distiltune::test::TemporaryFolder;
using model::ParameterInfo;
using model::Shape;

namespace {

const Shape small{7, 4, 2, 2, 6, 8, 3, model::Activation::gelu};

using Tensors = std::map<std::string, std::pair<std::vector<uint64_t>, std::vector<float>>>;

/** Value k of parameter j; no two places of a model share one. */
float value(size_t j, size_t k) { return static_cast<float>(1000 * (j + 1) + k) / 16384; }

Tensors classifier(const Shape& shape) {
  Tensors tensors;
  const std::vector<ParameterInfo> all = model::parameters(shape);
  for (size_t j = 0; j < all.size(); ++j) {
    auto& [sizes, values] = tensors[all[j].name];
    sizes = {static_cast<uint64_t>(all[j].rows)};
    if (all[j].cols != 0) sizes.push_back(static_cast<uint64_t>(all[j].cols));
    for (size_t k = 0; k < static_cast<size_t>(all[j].count()); ++k) values.push_back(value(j, k));
  }
  return tensors;
}

void rename(Tensors& tensors, const std::string& from, const std::string& to) {
  Tensors renamed;
  for (auto& [name, tensor] : tensors) {
    std::string key = name;
    if (const size_t at = key.find(from); at != std::string::npos) key.replace(at, from.size(), to);
    renamed[key] = std::move(tensor);
  }
  tensors = std::move(renamed);
}

void drop(Tensors& tensors, const std::string& start) {
  for (auto it = tensors.begin(); it != tensors.end();)
    it = it->first.rfind(start, 0) == 0 ? tensors.erase(it) : std::next(it);
}

Tensors bert(const Shape& shape) {
  Tensors tensors = classifier(shape);
  drop(tensors, "classifier");
  drop(tensors, "pre_classifier");
  const std::pair<const char*, const char*> names[] = {{"attention.q_lin", "attention.self.query"},
                                                       {"attention.k_lin", "attention.self.key"},
                                                       {"attention.v_lin", "attention.self.value"},
                                                       {"attention.out_lin", "attention.output.dense"},
                                                       {"sa_layer_norm", "attention.output.LayerNorm"},
                                                       {"ffn.lin1", "intermediate.dense"},
                                                       {"ffn.lin2", "output.dense"},
                                                       {"output_layer_norm", "output.LayerNorm"},
                                                       {"distilbert.transformer.layer", "bert.encoder.layer"},
                                                       {"distilbert.embeddings", "bert.embeddings"}};
  for (const auto& [distilbert, name] : names) rename(tensors, distilbert, name);
  const auto dim = static_cast<uint64_t>(shape.dim);
  tensors["bert.embeddings.token_type_embeddings.weight"] = {{2, dim}, std::vector<float>(2 * dim, 0.375f)};
  return tensors;
}

struct Read {
  std::vector<std::vector<float>> values;
  model::Loaded loaded;
};

Read load(const Tensors& tensors, const Shape& shape = small) {
  TemporaryFolder folder;
  std::vector<files::FloatTensor> list;
  for (const auto& [name, tensor] : tensors) list.push_back({name, tensor.first, tensor.second.data()});
  files::write_safetensors(folder / "model.safetensors", list, {{"format", "pt"}});
  Read read;
  std::vector<float*> destinations;
  for (const ParameterInfo& parameter : model::parameters(shape))
    read.values.emplace_back(static_cast<size_t>(parameter.count()), -1.0f);
  for (auto& values : read.values) destinations.push_back(values.data());
  read.loaded = model::load_weights(folder / "model.safetensors", shape, destinations.data());
  return read;
}

struct Refusal {
  std::string code, message;
};

Refusal refusal(const Tensors& tensors, const Shape& shape = small) {
  try {
    load(tensors, shape);
  } catch (const Failure& failure) {
    return {failure.code, failure.what()};
  }
  return {};
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/** Every parameter but those left out holds its own values. */
void check_values(const Read& read, size_t from = 0) {
  const size_t body = read.values.size() - 4;
  for (size_t j = from; j < body; ++j)
    for (size_t k = 0; k < read.values[j].size(); ++k) CHECK(read.values[j][k] == value(j, k));
}

const std::vector<std::string> head = {"pre_classifier.weight", "pre_classifier.bias", "classifier.weight",
                                       "classifier.bias"};

}  // namespace

CASE("the base model has Transformers' 104 parameters, 40 of them decayed") {
  const Shape base{30522, 512, 6, 12, 768, 3072, 2, model::Activation::gelu};
  const std::vector<ParameterInfo> all = model::parameters(base);
  int64_t values = 0;
  for (const ParameterInfo& parameter : all) values += parameter.count();
  CHECK(all.size() == 104);
  CHECK(values == 66'955'010);  // Transformers' num_parameters() for two labels
  CHECK(std::count_if(all.begin(), all.end(), [](const ParameterInfo& p) { return p.decay; }) == 40);
  CHECK(all[0].name == "distilbert.embeddings.word_embeddings.weight" && all[0].decay);
  CHECK(all[2].name == "distilbert.embeddings.LayerNorm.weight" && !all[2].decay && all[2].cols == 0);
  CHECK(all[4].name == "distilbert.transformer.layer.0.attention.q_lin.weight");
  CHECK(all[99].name == "distilbert.transformer.layer.5.output_layer_norm.bias");
  CHECK(all[103].name == "classifier.bias" && all[103].rows == 2);
}

CASE("a file saved by Transformers has exactly these names and shapes") {
  const Shape tiny{600, 128, 3, 4, 48, 96, 3, model::Activation::gelu};
  const model::WeightsFile file(test::fixture("tiny-model/model.safetensors"), tiny);
  CHECK(file.loaded().initialized.empty() && file.loaded().ignored.empty());
}

CASE("a classifier's own file fills every parameter") {
  const Read read = load(classifier(small));
  check_values(read);
  for (size_t j = read.values.size() - 4; j < read.values.size(); ++j)
    for (size_t k = 0; k < read.values[j].size(); ++k) CHECK(read.values[j][k] == value(j, k));
  CHECK(read.loaded.initialized.empty() && read.loaded.ignored.empty());
}

CASE("a masked-LM body leaves the head to be initialised and its own head ignored") {
  Tensors tensors = classifier(small);
  drop(tensors, "classifier");
  drop(tensors, "pre_classifier");
  const std::vector<std::string> ignored = {"distilbert.embeddings.position_ids", "vocab_layer_norm.bias",
                                            "vocab_projector.bias", "vocab_transform.weight"};
  for (const std::string& name : ignored) tensors[name] = {{2}, {1, 2}};
  const Read read = load(tensors);
  check_values(read);
  CHECK(read.loaded.initialized == head);
  std::vector<std::string> got = read.loaded.ignored;
  std::sort(got.begin(), got.end());
  CHECK(got == ignored);
  for (size_t j = read.values.size() - 4; j < read.values.size(); ++j) CHECK(read.values[j][0] == -1.0f);
}

CASE("a bare encoder and gamma and beta names are understood") {
  Tensors tensors = classifier(small);
  drop(tensors, "classifier");
  drop(tensors, "pre_classifier");
  rename(tensors, "distilbert.", "");
  rename(tensors, "embeddings.LayerNorm.weight", "embeddings.LayerNorm.gamma");
  rename(tensors, "embeddings.LayerNorm.bias", "embeddings.LayerNorm.beta");
  check_values(load(tensors));
}

CASE("a BERT encoder folds in, row 0 of its token types added to every word in float32") {
  for (const bool prefixed : {true, false}) {
    Tensors tensors = bert(small);
    tensors["bert.embeddings.token_type_embeddings.weight"].second.back() = 99;  // row 1 is not used
    tensors["bert.pooler.dense.weight"] = {{1}, {1}};
    if (!prefixed) rename(tensors, "bert.", "");
    if (prefixed) tensors["cls.predictions.bias"] = {{1}, {1}};
    const Read read = load(tensors);
    check_values(read, 1);
    for (size_t k = 0; k < read.values[0].size(); ++k) CHECK(read.values[0][k] == value(0, k) + 0.375f);
    CHECK(read.loaded.initialized == head);
    CHECK(read.loaded.ignored.size() == (prefixed ? 2 : 1));
  }
}

CASE("BERT's own classifier is ignored, for it stands behind a pooler that DistilBERT lacks") {
  Tensors tensors = bert(small);
  tensors["classifier.weight"] = {{3, 6}, std::vector<float>(18)};
  const Read read = load(tensors);
  CHECK(read.loaded.initialized == head);
  CHECK(read.loaded.ignored == std::vector<std::string>{"classifier.weight"});
}

CASE("a missing tensor is named") {
  Tensors tensors = classifier(small);
  tensors.erase("distilbert.transformer.layer.1.ffn.lin2.bias");
  const Refusal got = refusal(tensors);
  CHECK(got.code == "TENSOR_MISSING" &&
        has(got.message, "`distilbert.transformer.layer.1.ffn.lin2.bias` is missing"));
}

CASE("a tensor of another shape is named with both shapes") {
  Tensors tensors = classifier(small);
  Shape four = small;
  four.labels = 4;
  const Refusal labels = refusal(tensors, four);
  CHECK(labels.code == "TENSOR_SHAPE" && has(labels.message, "`classifier.weight`") &&
        has(labels.message, "[3, 6], expected [4, 6]"));
  tensors["distilbert.transformer.layer.0.ffn.lin1.weight"].first = {6, 8};
  const Refusal transposed = refusal(tensors);
  CHECK(transposed.code == "TENSOR_SHAPE" && has(transposed.message, "[6, 8], expected [8, 6]"));
}

CASE("tensors that no such classifier has are refused, not skipped") {
  Tensors deeper = classifier(small);
  deeper["distilbert.transformer.layer.2.ffn.lin1.bias"] = {{8}, std::vector<float>(8)};
  CHECK(refusal(deeper).code == "TENSOR_UNEXPECTED");
  Tensors strange = classifier(small);
  strange["__proto__"] = {{1}, {1}};
  CHECK(has(refusal(strange).message, "`__proto__`"));
  Tensors misplaced = classifier(small);
  misplaced["distilbert.classifier.weight"] = {{3, 6}, std::vector<float>(18)};
  CHECK(refusal(misplaced).code == "TENSOR_UNEXPECTED");
}

CASE("one parameter under two names is refused") {
  Tensors tensors = classifier(small);
  tensors["distilbert.embeddings.LayerNorm.gamma"] = tensors["distilbert.embeddings.LayerNorm.weight"];
  const Refusal got = refusal(tensors);
  CHECK(got.code == "TENSOR_UNEXPECTED" &&
        has(got.message, "are both distilbert.embeddings.LayerNorm.weight"));
}

CASE("sizes no model has are refused before a file is opened") {
  for (const auto change :
       {+[](Shape& s) { s.dim = 0; }, +[](Shape& s) { s.heads = 4; },
        +[](Shape& s) { s.labels = 2'000'000'000; }, +[](Shape& s) { s.vocab_size = 900'000'000; },
        +[](Shape& s) {
          s.layers = 300;
          s.dim = 2000;
          s.hidden_dim = 8000;
        }}) {
    Shape shape = small;
    change(shape);
    std::string code;
    try {
      model::check(shape);
    } catch (const Failure& failure) {
      code = failure.code;
    }
    CHECK(code == "MODEL_SHAPE_INVALID");
  }
}

MAIN
