#include "head.h"

#include <algorithm>

#include "../../kernels/random.h"

namespace distiltune::engine {

namespace {

/** torch's constructors, in the order of the modules: Embedding draws normal values, Linear one uniform value
 * for each of its weights and then of its biases, LayerNorm nothing. */
void discard_constructors(kernels::Generator& generator, const std::vector<model::ParameterInfo>& infos) {
  constexpr size_t embeddings = 2;  // word and position, the first two
  for (size_t index = 0; index < infos.size(); ++index) {
    const model::ParameterInfo& info = infos[index];
    if (!info.decay) continue;  // LayerNorm, or the bias that is counted with its weight
    if (index < embeddings) {
      kernels::discard_normal(generator, info.count());
    } else {
      generator.discard(info.count() + info.rows);
    }
  }
}

}  // namespace

void draw_head(const std::vector<View>& views, const std::vector<model::ParameterInfo>& infos,
               const std::vector<std::string>& missing, double std, uint64_t seed, HeadDraws draws) {
  if (missing.empty()) return;
  kernels::Generator generator(seed);
  if (draws == HeadDraws::after_constructors) discard_constructors(generator, infos);
  for (size_t index = infos.size() - model::head_parameters; index < infos.size(); ++index) {
    if (std::find(missing.begin(), missing.end(), infos[index].name) == missing.end()) continue;
    const View view = views[index];
    if (infos[index].decay) {
      kernels::normal(generator, static_cast<float>(std), view.f32(), view.count());
    } else {
      std::fill_n(view.f32(), view.count(), 0.0f);
    }
  }
}

}  // namespace distiltune::engine
