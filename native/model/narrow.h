#pragma once
#include <cstdint>
#include <optional>

#include "weights.h"

namespace distiltune::model {

/** What 8-bit numbers must keep: those of linear layers the rule for groups (kernels/gemm_int8.h), rows of
 * the word table nothing. */
enum class Rule { none, groups };

/** The rule of a parameter that int8 and bf16 keep in fewer bits: the word table and the matrices of the
 * layers. */
std::optional<Rule> narrow_rule(const ParameterInfo& info);

/** q (rows, cols) and scales (rows) of a matrix. */
void quantise(Rule rule, const ParameterInfo& info, const float* values, int8_t* q, float* scales);

/** Whether every row of q keeps the rule. */
bool keeps(Rule rule, const ParameterInfo& info, const int8_t* q);

/** The nearest bfloat16 of each value. */
void round_to_bf16(const float* values, int64_t count, uint16_t* to);

}  // namespace distiltune::model
