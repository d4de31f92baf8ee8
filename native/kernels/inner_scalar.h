#pragma once
#include "inner.h"

// Plain loops for any CPU, one file per operation; the twins that the fast ones are tested against.

namespace distiltune::kernels::scalar {

void pack(const float* b, int64_t stride, int64_t depth, int64_t columns, float* packed);
void pack_transposed(const float* bt, int64_t stride, int64_t depth, int64_t columns, float* packed);
void pack_left(const float* b, int64_t stride, int64_t depth, int64_t columns, float* packed, float* sums);
void multiply(const float* a, int64_t a_stride, const float* packed, float* c, int64_t c_stride, int64_t rows,
              int64_t columns, int64_t depth, Store store, const float* bias, Ahead);
void multiply_packed(const float* left, const float* packed, float* c, int64_t c_stride, int64_t rows,
                     int64_t columns, int64_t depth, Store store, Ahead);
void philox(const uint32_t key[2], const uint32_t stream[2], uint64_t first, int64_t blocks, uint16_t* draws);
void drop(const float* x, const DropoutDraws& draws, float* y, int64_t n);
void exponentials(float* s, int64_t n, int64_t padded, float scale, float* max, float* sum);
void attention_gradient(float* p, float* dp, const DropoutDraws& draws, int64_t n, int64_t padded,
                        float scale, float lse, float delta);
void gelu(const float* x, float* y, int64_t n);
void gelu_backward(const float* x, const float* dy, float* dx, int64_t n);
void relu(const float* x, float* y, int64_t n);
void quantise(const float* x, int64_t n, int64_t padded, uint8_t* q, float* scale, int32_t* zero);
void layer_norm(const float* x, const DropoutDraws& draws, const float* residual, const float* gamma,
                const float* beta, float* sum, float* y, int64_t dim, float eps, float* mean, float* rstd);
void layer_norm_backward(const float* dy, const float* sum, float mean, float rstd, const float* gamma,
                         float* dsum, float* dgamma, float* dbeta, int64_t dim);
void adamw(const AdamWScalars& scalars, float* parameter, float* moment1, float* moment2,
           const float* gradient, int64_t n);
void adamw_late(const AdamWScalars* scalars, int64_t count, float* parameter, float* moment1, float* moment2,
                int64_t n);
double sum_of_squares(const float* values, int64_t n);

}  // namespace distiltune::kernels::scalar
