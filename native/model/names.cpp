#include "names.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace distiltune::model {
namespace {

bool starts(const std::string& text, const std::string& prefix) {
  return text.compare(0, prefix.size(), prefix) == 0;
}

bool ends(const std::string& text, const std::string& suffix) {
  return text.size() >= suffix.size() &&
         text.compare(text.size() - suffix.size(), suffix.size(), suffix) == 0;
}

/** TensorFlow-era checkpoints call a LayerNorm's weight gamma and its bias beta. */
std::string modern(const std::string& key) {
  if (ends(key, ".gamma")) return key.substr(0, key.size() - 5) + "weight";
  if (ends(key, ".beta")) return key.substr(0, key.size() - 4) + "bias";
  return key;
}

// BERT's name within a layer -> DistilBERT's (Transformers, the distillation example's
// extract_distilbert.py).
const std::pair<const char*, const char*> layer_names[] = {
    {"attention.self.query.", "attention.q_lin."},
    {"attention.self.key.", "attention.k_lin."},
    {"attention.self.value.", "attention.v_lin."},
    {"attention.output.dense.", "attention.out_lin."},
    {"attention.output.LayerNorm.", "sa_layer_norm."},
    {"intermediate.dense.", "ffn.lin1."},
    {"output.dense.", "ffn.lin2."},
    {"output.LayerNorm.", "output_layer_norm."},
};

/** encoder.layer.3.output.dense.bias -> transformer.layer.3.ffn.lin2.bias; other keys stay as they are. */
std::string from_bert(const std::string& key) {
  static const std::string encoder = "encoder.layer.";
  if (!starts(key, encoder)) return key;
  const size_t dot = key.find('.', encoder.size());
  if (dot == std::string::npos) return key;
  const std::string rest = key.substr(dot + 1);
  const std::string number_and_dot = key.substr(encoder.size(), dot + 1 - encoder.size());
  for (const auto& [bert, distilbert] : layer_names)
    if (starts(rest, bert))
      return "transformer.layer." + number_and_dot + distilbert + rest.substr(std::strlen(bert));
  return key;
}

/** Heads of other tasks, and a buffer that old files carry. */
bool is_ignored(const std::string& key, bool bert) {
  for (const char* head : {"vocab_transform.", "vocab_layer_norm.", "vocab_projector.", "qa_outputs."})
    if (starts(key, head)) return true;
  if (key == "embeddings.position_ids") return true;
  // BERT pools through a tanh layer that DistilBERT does not have, so its classifier cannot be mapped either.
  return bert && (starts(key, "pooler.") || starts(key, "cls.") || starts(key, "classifier."));
}

}  // namespace

Naming naming_of(const std::vector<std::string>& keys) {
  const auto any = [&](const char* prefix) {
    return std::any_of(keys.begin(), keys.end(), [&](const std::string& key) { return starts(key, prefix); });
  };
  if (any("distilbert.")) return Naming::distilbert;
  if (any("bert.")) return Naming::bert;
  if (any("encoder.layer.")) return Naming::bare_bert;
  return any("embeddings.") || any("transformer.") ? Naming::bare_distilbert : Naming::distilbert;
}

Role role_of(const std::string& file_key, Naming naming) {
  const bool bert = naming == Naming::bert || naming == Naming::bare_bert;
  const std::string prefix = naming == Naming::distilbert ? "distilbert."
                             : naming == Naming::bert     ? "bert."
                                                          : "";
  const bool body = starts(file_key, prefix);
  std::string key = modern(body ? file_key.substr(prefix.size()) : file_key);
  if (is_ignored(key, bert)) return {Role::ignored, {}};
  if (bert && body && key == "embeddings.token_type_embeddings.weight") return {Role::token_types, {}};
  if (bert && body) key = from_bert(key);
  const bool in_body = prefix.empty() ? starts(key, "embeddings.") || starts(key, "transformer.") : body;
  return {Role::parameter_of, in_body ? "distilbert." + key : key};
}

}  // namespace distiltune::model
