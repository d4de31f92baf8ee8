#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "head.h"
#include "weights.h"

namespace distiltune::model {

/** What 8-bit numbers must keep: those of linear layers the rule for groups (kernels/gemm_int8.h), rows of
 * the word table nothing. */
enum class Rule { none, groups };

/** The rule of a parameter that int8 keeps as 8-bit numbers: the word table and the matrices of the layers.
 */
std::optional<Rule> int8_rule(const ParameterInfo& info);

/** q (rows, cols) and scales (rows) of a matrix. */
void quantise(Rule rule, const ParameterInfo& info, const float* values, int8_t* q, float* scales);

/** Whether every row of q keeps the rule. */
bool keeps(Rule rule, const ParameterInfo& info, const int8_t* q);

/** As save_with_head, with 8-bit numbers and their scales (F32, name and `_scale`) where int8 has them: what
 * packing then finds is what it would make of the floats. */
void save_int8(const std::string& from, const Shape& shape, const Head& head, const std::string& to);

}  // namespace distiltune::model
