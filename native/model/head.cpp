#include "head.h"

#include <string>

#include "../failure.h"

namespace distiltune::model {

void check(const Head& head, int64_t labels, int64_t dim) {
  if (head.weight.size() == static_cast<size_t>(labels * dim) &&
      head.bias.size() == static_cast<size_t>(labels))
    return;
  throw Failure("HEAD_INVALID", "Expected a head of " + std::to_string(labels * dim) + " weights and " +
                                    std::to_string(labels) + " biases, got " +
                                    std::to_string(head.weight.size()) + " and " +
                                    std::to_string(head.bias.size()));
}

}  // namespace distiltune::model
