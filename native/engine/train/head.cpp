#include "head.h"

#include <algorithm>

#include "../../kernels/random.h"

namespace distiltune::engine {

void draw_head(const std::vector<View>& views, const std::vector<model::ParameterInfo>& infos,
               const std::vector<std::string>& missing, double std, uint64_t seed) {
  kernels::Generator generator(seed);
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
