#pragma once
#include <string>
#include <vector>

namespace distiltune::model {

/** How a checkpoint's keys are spelt. */
enum class Naming { distilbert, bare_distilbert, bert, bare_bert };

/** Judged from all keys: `distilbert.` or `bert.` in front of any of them, else `encoder.layer.` means BERT.
 * Of keys that say nothing, `distilbert`. */
Naming naming_of(const std::vector<std::string>& keys);

/** What one key of a checkpoint is to a DistilBERT classifier. */
struct Role {
  enum Kind { parameter_of, token_types, ignored } kind;
  /** The name Transformers' DistilBERT gives it, where kind is parameter_of; it may still be unknown to the
   * model. */
  std::string parameter;
};

Role role_of(const std::string& key, Naming naming);

}  // namespace distiltune::model
