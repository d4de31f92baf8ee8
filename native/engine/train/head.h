#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "../../model/weights.h"
#include "../parameters.h"

namespace distiltune::engine {

/** Where in the seed's stream a head is drawn. */
enum class HeadDraws {
  first,               // at once, as Transformers 5 does
  after_constructors,  // as 4.18 does, whose constructors of the whole model draw values that are then
                       // replaced
};

/**
 * Fills in the head's parameters that `missing` names: weights N(0, std), pre_classifier before classifier;
 * biases 0. `views` go with `infos`, of the whole model; none but the head's are looked at.
 */
void draw_head(const std::vector<View>& views, const std::vector<model::ParameterInfo>& infos,
               const std::vector<std::string>& missing, double std, uint64_t seed, HeadDraws draws);

}  // namespace distiltune::engine
