#include "aten.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <iterator>

#include "../../kernels/layer_norm.h"
#include "../../kernels/thread_pool.h"

namespace distiltune::engine {

namespace {

using at::Tensor;

Tensor wrap(View view) {
  const auto type = view.dtype == DType::f32 ? at::kFloat : at::kDouble;
  return at::from_blob(view.data, {view.rows, view.cols}, {view.stride, 1}, at::TensorOptions().dtype(type));
}

/** A vector, not a matrix of one row. */
Tensor wrap_vector(View view) { return wrap(view).reshape({view.count()}); }

Tensor wrap_indices(const int32_t* data, int64_t count) {
  return at::from_blob(const_cast<int32_t*>(data), {count}, at::TensorOptions().dtype(at::kInt))
      .to(at::kLong);
}

/** Place of every token in its row. */
Tensor places(const Batch& batch) {
  Tensor out = at::empty({batch.tokens()}, at::TensorOptions().dtype(at::kLong));
  int64_t* place = out.data_ptr<int64_t>();
  for (int64_t row = 0; row < batch.rows; ++row) {
    for (int32_t token = batch.offsets[row]; token < batch.offsets[row + 1]; ++token) {
      *place++ = token - batch.offsets[row];
    }
  }
  return out;
}

constexpr double inverse_root_two_pi = 0.398942280401432677939946;

/** Standard normal distribution function. */
Tensor normal_cdf(const Tensor& x) { return (at::erf(x * std::sqrt(0.5)) + 1) * 0.5; }

class AtenOps final : public Ops {
 public:
  explicit AtenOps(DType dtype) : dtype_(dtype), pool_(1) {}

  DType dtype() const override { return dtype_; }

  void embed(const Batch& batch, View word, View position, View out) override {
    const Tensor words = wrap(word).index_select(0, wrap_indices(batch.ids, batch.tokens()));
    wrap(out).copy_(words + wrap(position).index_select(0, places(batch)));
  }

  void embed_backward(const Batch& batch, View dout, int32_t padding_id, WordGradient& dword,
                      View dposition) override {
    wrap(dposition).index_add_(0, places(batch), wrap(dout));

    std::vector<int32_t>& known = dword.rows.ids;
    std::vector<int32_t> met(batch.ids, batch.ids + batch.tokens());
    std::sort(met.begin(), met.end());
    met.erase(std::unique(met.begin(), met.end()), met.end());
    met.erase(std::remove(met.begin(), met.end(), padding_id), met.end());
    std::vector<int32_t> all;
    std::set_union(known.begin(), known.end(), met.begin(), met.end(), std::back_inserter(all));
    const auto place_of = [&](int32_t id) {
      return std::lower_bound(all.begin(), all.end(), id) - all.begin();
    };

    const int64_t dim = dout.cols;
    Tensor sums = at::zeros({static_cast<int64_t>(all.size()), dim}, wrap(dout).options());
    std::vector<int32_t> to;
    for (const int32_t id : known) to.push_back(place_of(id));
    sums.index_add_(0, wrap_indices(to.data(), to.size()), wrap(values(dword, dim)));
    std::vector<int32_t> from;
    to.clear();
    for (int64_t token = 0; token < batch.tokens(); ++token) {
      if (batch.ids[token] == padding_id) continue;
      from.push_back(token);
      to.push_back(place_of(batch.ids[token]));
    }
    sums.index_add_(0, wrap_indices(to.data(), to.size()),
                    wrap(dout).index_select(0, wrap_indices(from.data(), from.size())));

    known = std::move(all);
    if (dtype_ == DType::f32) {
      dword.rows.values.resize(known.size() * dim);
    } else {
      dword.values_f64.resize(known.size() * dim);
    }
    wrap(values(dword, dim)).copy_(sums);
  }

  void first_tokens(const Batch& batch, View x, View out) override {
    wrap(out).copy_(wrap(x).index_select(0, wrap_indices(batch.offsets, batch.rows)));
  }

  void first_tokens_backward(const Batch& batch, View dout, View dx) override {
    wrap(dx).index_add_(0, wrap_indices(batch.offsets, batch.rows), wrap(dout));
  }

  void linear(View x, View w, View b, View y) override {
    wrap(y).copy_(at::addmm(wrap_vector(b), wrap(x), wrap(w).t()));
  }

  void linear_backward_input(View dy, View w, View dx, bool accumulate) override {
    const Tensor product = at::mm(wrap(dy), wrap(w));
    accumulate ? wrap(dx).add_(product) : wrap(dx).copy_(product);
  }

  void linear_backward_weight(View dy, View x, View dw, View db, bool accumulate) override {
    if (!accumulate) {
      wrap(dw).zero_();
      wrap(db).zero_();
    }
    wrap(dw).add_(at::mm(wrap(dy).t(), wrap(x)));
    wrap_vector(db).add_(wrap(dy).sum(0));
  }

  void activate(Activation activation, View x, View y) override {
    const Tensor in = wrap(x);
    wrap(y).copy_(activation == Activation::gelu ? in * normal_cdf(in) : in.clamp_min(0));
  }

  void activate_backward(Activation activation, View x, View dy, View dx) override {
    const Tensor in = wrap(x);
    const Tensor slope = activation == Activation::gelu
                             ? normal_cdf(in) + in * at::exp(in * in * -0.5) * inverse_root_two_pi
                             : in.gt(0).to(in.scalar_type());
    wrap(dx).copy_(wrap(dy) * slope);
  }

  void drop(View x, const Dropout& dropout, View y) override { wrap(y).copy_(dropped(wrap(x), dropout)); }

  void layer_norm(View x, const Dropout& dropout, View residual, View gamma, View beta, View sum, View mean,
                  View rstd, View y) override {
    Tensor s = dropped(wrap(x), dropout);
    if (residual.data) s = s + wrap(residual);
    const Tensor m = s.mean(1, /*keepdim=*/true);
    const Tensor r = at::rsqrt((s - m).square().mean(1, /*keepdim=*/true) + kernels::layer_norm_eps);
    wrap(y).copy_((s - m) * r * wrap(gamma) + wrap(beta));
    wrap(sum).copy_(s);
    wrap(mean).copy_(m.t());
    wrap(rstd).copy_(r.t());
  }

  void layer_norm_backward(View dy, View sum, View mean, View rstd, View gamma, View dsum, View dgamma,
                           View dbeta) override {
    const Tensor r = wrap(rstd).t();
    const Tensor standard = (wrap(sum) - wrap(mean).t()) * r;
    const Tensor d = wrap(dy).clone();
    const Tensor dstandard = d * wrap(gamma);
    wrap(dsum).copy_(r * (dstandard - dstandard.mean(1, /*keepdim=*/true) -
                          standard * (dstandard * standard).mean(1, /*keepdim=*/true)));
    wrap_vector(dgamma).add_((d * standard).sum(0));
    wrap_vector(dbeta).add_(d.sum(0));
  }

  void attention(const Batch& batch, const Attention& how, View q, View k, View v, View out,
                 View lse) override {
    const Tensor masks = attention_masks(batch, how);
    for (int64_t index = 0, mask_from = 0; index < batch.rows; ++index) {
      const Row row(batch, how, index, masks, mask_from);
      const Tensor scores = row.scores(q, k);
      const Tensor sums = scores.logsumexp({2}, /*keepdim=*/true);
      row.queries(out).copy_(at::bmm(at::exp(scores - sums) * row.mask, row.keys(v)));
      wrap(lse).narrow(1, row.first_query, row.query_count).copy_(sums.squeeze(2));
    }
  }

  void attention_backward(const Batch& batch, const Attention& how, View q, View k, View v, View out,
                          View lse, View dout, View dq, View dk, View dv) override {
    const Tensor masks = attention_masks(batch, how);
    for (int64_t index = 0, mask_from = 0; index < batch.rows; ++index) {
      const Row row(batch, how, index, masks, mask_from);
      const Tensor sums = wrap(lse).narrow(1, row.first_query, row.query_count).unsqueeze(2);
      const Tensor p = at::exp(row.scores(q, k) - sums);
      const Tensor d = row.queries(dout);
      const Tensor dp = at::bmm(d, row.keys(v).transpose(1, 2)) * row.mask;
      const Tensor dscores = p * (dp - (dp * p).sum({2}, /*keepdim=*/true)) * row.scale(q);
      row.keys(dv).copy_(at::bmm((p * row.mask).transpose(1, 2), d));
      row.queries(dq).copy_(at::bmm(dscores, row.keys(k)));
      row.keys(dk).copy_(at::bmm(dscores.transpose(1, 2), row.queries(q)));
    }
  }

  double sum_of_squares(View values) override {
    return wrap(values).to(at::kDouble).square().sum().item<double>();
  }

  double sum_of_squares(const WordGradient& gradient) override {
    const auto count = static_cast<int64_t>(gradient.rows.values.size() + gradient.values_f64.size());
    const View rows = values(gradient, 0);
    return sum_of_squares(View{rows.data, dtype_, 1, count, count});
  }

  void adamw(const AdamWStep& step, View parameter, View moment1, View moment2, View gradient) override {
    update(step, wrap(parameter), wrap(moment1), wrap(moment2), wrap(gradient));
  }

  void adamw(const AdamWStep& step, View parameter, View moment1, View moment2, const WordGradient& gradient,
             LateRows&) override {
    Tensor dense = at::zeros_like(wrap(parameter));
    dense.index_copy_(0, wrap_indices(gradient.rows.ids.data(), gradient.rows.ids.size()),
                      wrap(values(gradient, parameter.cols)));
    update(step, wrap(parameter), wrap(moment1), wrap(moment2), dense);
  }

  void level(View, View, View, const std::vector<int32_t>*, LateRows&) override {}  // no row is ever late

 private:
  /** One row of the batch as attention sees it: matrices (heads, queries or keys, dim / heads) in place. */
  struct Row {
    int64_t heads, first_query, query_count, first_key, key_count;
    Tensor mask;  // (heads, queries, keys), factors of the probabilities

    /** Takes the row's part of `masks` from value `mask_from` on, and moves that to the next row's. */
    Row(const Batch& batch, const Attention& how, int64_t row, const Tensor& masks, int64_t& mask_from)
        : heads(how.heads),
          first_query(how.first_only ? row : batch.offsets[row]),
          query_count(how.first_only ? 1 : batch.offsets[row + 1] - batch.offsets[row]),
          first_key(batch.offsets[row]),
          key_count(batch.offsets[row + 1] - batch.offsets[row]) {
      const int64_t square = heads * key_count * key_count;
      mask = how.dropout.p == 0 ? masks
                                : masks.narrow(0, mask_from, square)
                                      .view({heads, key_count, key_count})
                                      .narrow(1, 0, query_count);
      mask_from += square;
    }

    Tensor queries(View view) const { return split(view, first_query, query_count); }
    Tensor keys(View view) const { return split(view, first_key, key_count); }
    Tensor split(View view, int64_t first, int64_t count) const {
      return wrap(view).narrow(0, first, count).view({count, heads, view.cols / heads}).transpose(0, 1);
    }
    Tensor scores(View q, View k) const { return at::bmm(queries(q), keys(k).transpose(1, 2)) * scale(q); }
    double scale(View q) const { return 1 / std::sqrt(static_cast<double>(q.cols) / heads); }
  };

  /** (ids, dim) */
  View values(const WordGradient& gradient, int64_t dim) const {
    const int64_t ids = gradient.rows.ids.size();
    return dtype_ == DType::f32
               ? View{const_cast<float*>(gradient.rows.values.data()), dtype_, ids, dim, dim}
               : View{const_cast<double*>(gradient.values_f64.data()), dtype_, ids, dim, dim};
  }

  /** Factors by which dropout multiplies `count` values: 0 or 1 / (1 - p). */
  Tensor factors(const Dropout& dropout, int64_t count) {
    Tensor ones = at::ones({count}, at::TensorOptions().dtype(at::kFloat));
    kernels::apply_dropout(pool_, ones.data_ptr<float>(), dropout, ones.data_ptr<float>(), count);
    const auto type = dtype_ == DType::f32 ? at::kFloat : at::kDouble;
    return ones.gt(0).to(type) * (1 / (1 - static_cast<double>(dropout.p)));
  }

  Tensor dropped(const Tensor& x, const Dropout& dropout) {
    return dropout.p == 0 ? x.clone() : x * factors(dropout, x.numel()).view_as(x);
  }

  /** Factors of the score matrices of all rows, end to end, or a lone 1. */
  Tensor attention_masks(const Batch& batch, const Attention& how) {
    int64_t count = 0;
    for (int64_t row = 0; row < batch.rows; ++row) {
      const int64_t length = batch.offsets[row + 1] - batch.offsets[row];
      count += how.heads * length * length;
    }
    return how.dropout.p == 0 ? factors({}, 1) : factors(how.dropout, count);
  }

  /** The order of operations of torch/optim/adamw.py (_single_tensor_adamw) and of AdamW in Transformers
   * 4.18's optimization.py. */
  static void update(const AdamWStep& step, Tensor parameter, Tensor moment1, Tensor moment2,
                     const Tensor& gradient) {
    const Tensor g = gradient * step.gradient_scale;
    const double correction1 = 1 - std::pow(step.beta1, step.step);
    const double root_correction2 = std::sqrt(1 - std::pow(step.beta2, step.step));
    const double decay = step.learning_rate * step.weight_decay;
    const double size = step.learning_rate / correction1;
    moment1.mul_(step.beta1).add_(g, 1 - step.beta1);
    moment2.mul_(step.beta2).addcmul_(g, g, 1 - step.beta2);
    if (step.flavor == kernels::AdamWFlavor::torch) {
      parameter.mul_(1 - decay);
      parameter.addcdiv_(moment1, moment2.sqrt().div_(root_correction2).add_(step.epsilon), -size);
    } else {
      parameter.addcdiv_(moment1, moment2.sqrt().add_(step.epsilon), -size * root_correction2);
      parameter.add_(parameter, -decay);
    }
  }

  DType dtype_;
  kernels::ThreadPool pool_;  // for the masks alone
};

}  // namespace

std::unique_ptr<Ops> make_aten_ops(DType dtype, int threads) {
  at::set_num_threads(threads);
  return std::make_unique<AtenOps>(dtype);
}

}  // namespace distiltune::engine
