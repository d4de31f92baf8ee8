#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "../../model/weights.h"
#include "../parameters.h"

namespace distiltune::engine {

/**
 * Fills in the head's parameters that `missing` names, as Transformers 5 does: weights N(0, std), the first
 * draws of the seed, pre_classifier before classifier; biases 0.
 */
void draw_head(const std::vector<View>& views, const std::vector<model::ParameterInfo>& infos,
               const std::vector<std::string>& missing, double std, uint64_t seed);

}  // namespace distiltune::engine
