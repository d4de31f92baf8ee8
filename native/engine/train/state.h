#pragma once
#include <string>

#include "training.h"

namespace distiltune::engine {

/**
 * Writes moments, under AdamW's names in torch, and the gradients that wait for an update, if any do, to
 * `path`, a .safetensors file. Parameters are a file of their own, counters the caller's. Throws what
 * files::write_safetensors does.
 */
void save_state(Training& training, const model::Shape& shape, const std::string& path);

/**
 * Reads them back; `counters` are those of when they were written. Throws STATE_INVALID where the file is not
 * of this model and these counters, and what files::SafetensorsReader does; what was read until then stays.
 */
void load_state(Training& training, const model::Shape& shape, const std::string& path,
                const Counters& counters);

}  // namespace distiltune::engine
