// SPDX-License-Identifier: Apache-2.0
// The flow of dx/dt = a x + b in closed form, where no component acts on itself through others
// (docs/theory.md, section 14). For every path from a component to another the exponential of the
// matrix has a product of entries of `a` and a divided difference of the exponential, which is
// positive: nothing cancels, however far the time constants lie apart. In double these are found
// with the same bits one by one and in vectors (neuron/linear_flow-inl.hpp).
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <compare>
#include <cstddef>
#include <span>
#include <tuple>
#include <type_traits>
#include <vector>

#include "machine/exponential.hpp"
#include "saltus/linear.hpp"

namespace saltus::linear {

inline constexpr std::size_t dimension = most_components + 1;
inline constexpr std::size_t integral_of_v = most_components;  // its place; V's is 0

template <class T>
using Vector = std::array<T, dimension>;
template <class T>
using Matrix = std::array<Vector<T>, dimension>;

template <class A, class B>
auto dot(const Vector<A>& a, const Vector<B>& b) {
  auto sum = a[0] * b[0];
  for (std::size_t k = 1; k < dimension; ++k) sum += a[k] * b[k];
  return sum;
}

template <class T>
Vector<T> product(const Matrix<T>& m, const Vector<T>& x) {
  Vector<T> y;
  for (std::size_t k = 0; k < dimension; ++k) y[k] = dot(m[k], x);
  return y;
}

template <class T>
Matrix<T> product(const Matrix<T>& a, const Matrix<T>& b) {
  Matrix<T> result{};
  for (std::size_t k = 0; k < dimension; ++k) {
    for (std::size_t l = 0; l < dimension; ++l) {
      for (std::size_t m = 0; m < dimension; ++m) result[k][m] += a[k][l] * b[l][m];
    }
  }
  return result;
}

template <class T>
Matrix<T> transposed(const Matrix<T>& m) {
  Matrix<T> t;
  for (std::size_t k = 0; k < dimension; ++k) {
    for (std::size_t l = 0; l < dimension; ++l) t[k][l] = m[l][k];
  }
  return t;
}

template <class T, class Factor>
void add(Vector<T>& to, const Vector<T>& v, const Factor& factor) {
  for (std::size_t k = 0; k < dimension; ++k) to[k] += v[k] * factor;
}

inline double number(double v) { return v; }
inline double number(const Dual& v) { return v.value; }

inline bool is_zero(double v) { return v == 0; }
inline bool is_zero(const Dual& v) { return v.value == 0 && v.slopes == decltype(v.slopes){}; }

template <class T>
using Nodes = std::array<T, dimension + 1>;  // of the components and of a constant

/// exp[z_0, ..., z_k], k = order: a divided difference at ascending z within 1 of each other, as
///
///     e^c sum over p of h_p(z_0 - c, ..., z_k - c)/(p + k)!    h_p: the sum of all products of p
template <class T>
T close_exponential(const Nodes<T>& z, std::size_t order) {
  using std::exp;
  const T middle = (z[0] + z[order]) * 0.5;
  Nodes<T> y, h;
  double inverse = 1;  // of (p + k)!
  for (std::size_t k = 0; k <= order; ++k) {
    y[k] = z[k] - middle;
    h[k] = T(1);
    if (k > 0) inverse /= static_cast<double>(k);
  }
  T sum(inverse);
  const double reach = std::fabs(number(y[0]));
  double left = 1;  // what the terms from p on are at most, next to e^c
  for (int p = 1; left > 1e-17; ++p) {
    left *= reach / p;
    inverse /= static_cast<double>(p) + static_cast<double>(order);
    h[0] = h[0] * y[0];
    for (std::size_t k = 1; k <= order; ++k) h[k] = h[k - 1] + y[k] * h[k];
    sum += h[order] * inverse;
  }
  return sum * exp(middle);
}

/// A divided difference of e^(z t) at some eigenvalues z, ascending.
struct Difference {
  unsigned set;                                  // of nodes, a bit each
  std::size_t order;                             // nodes less one
  std::array<std::size_t, dimension + 1> nodes;  // ascending
  std::size_t without_first, without_last;       // the differences that this one is made of

  // What its value in double is found from.
  static constexpr std::size_t terms = 19;
  std::size_t last = 0;                   // e^(z t) of the last node: that of any of the same z
  double rate = 0;                        // z of the last node
  double spread = 0, per_spread = 0;      // from the first node to the last
  std::array<double, terms> series = {};  // of order 2 and more: powers of spread t
};
inline constexpr std::size_t most_differences = 1U << (dimension + 1);

/// The values of all of them after `t`, each behind those that it is made of. With z of the last node
/// and the spread s of all
///
///     e^(z t),   e^(z t) (1 - e^(-s t))/s,   and of more nodes where s t <= 1
///     e^(z t) t^k sum over p of h_p((z_0 - z)/s, ..., 0)/(p + k)! (s t)^p     h_p: as in close_exponential
///
/// so that nothing cancels; else the recursion.
inline void differences_at(std::span<const Difference> list, double t, double* values) {
  for (std::size_t m = 0; m < list.size(); ++m) {
    const Difference& d = list[m];
    if (d.order == 0) {
      values[m] = d.last == m ? exponential(d.rate * t) : values[d.last];
      continue;
    }
    const double whole = values[d.last], length = d.spread * t;
    if (d.order == 1) {
      values[m] = d.spread == 0 ? whole * t : -exponential_less_one(-length) * d.per_spread * whole;
      continue;
    }
    if (!(length <= 1)) {
      values[m] = (values[d.without_first] - values[d.without_last]) * d.per_spread;
      continue;
    }
    double even = d.series[Difference::terms - 1], odd = d.series[Difference::terms - 2];
    const double square = length * length;
    for (std::size_t p = Difference::terms - 2; p > 1; p -= 2) {
      even = even * square + d.series[p - 1];
      odd = odd * square + d.series[p - 2];
    }
    double value = whole * (even * square + d.series[0] + odd * length);
    for (std::size_t k = 0; k < d.order; ++k) value *= t;
    values[m] = value;
  }
}

/// dx/dt = a x + b.
template <class T>
class System {
 public:
  System() = default;
  /// @param components  of the state that the model uses
  System(const Matrix<T>& matrix, const Vector<T>& constant, std::size_t components)
      : a_(matrix), b_(constant) {
    for (std::size_t k = 0; k < components; ++k) order_[count_++] = k;
    order_[count_++] = integral_of_v;
    order_[count_++] = of_constant;
    const auto rate = [this](std::size_t k) { return k == of_constant ? T(0) : a_[k][k]; };
    std::stable_sort(order_.begin(), order_.begin() + static_cast<std::ptrdiff_t>(count_),
                     [&](auto k, auto l) { return number(rate(k)) < number(rate(l)); });
    for (std::size_t m = 0; m < count_; ++m) nodes_[m] = rate(order_[m]);
    for (std::size_t m = 0; m < count_; ++m) {
      if (order_[m] == of_constant) {
        follow_constant(m);
      } else {
        follow({order_[m], order_[m], false}, m, 1U << m, T(1));
      }
    }
    std::stable_sort(paths_.begin(), paths_.end(),
                     [](const Path& p, const Path& q) { return p.entry < q.entry; });
    for (Path& path : paths_) {
      path.difference = difference(path.nodes);
      if (path.entry.to != integral_of_v) of_state_ = {differences_.size(), 1 + index_of(path)};
    }
  }
  /// That of p = dL/dx backwards, which has no constant.
  System back(std::size_t components) const { return {transposed(a_), {}, components}; }

  Vector<T> slope(const Vector<T>& x) const {
    Vector<T> f = product(a_, x);
    for (std::size_t k = 0; k < dimension; ++k) f[k] += b_[k];
    return f;
  }
  /// The fastest rate of decay.
  double fastest() const { return std::fabs(number(nodes_[0])); }
  const Matrix<T>& matrix() const { return a_; }
  const Vector<T>& constant() const { return b_; }

  /// The state `t` after x: m x + k b, where m and k are the sums over all paths from l to k, or from
  /// the constant through l to k, of
  ///
  ///     the entries of `a` on the path * (e^(z t))[the nodes on the path]
  /// @param rows  so many components are asked for: most_components leaves out the integral
  Vector<T> flow(const Vector<T>& x, double t, std::size_t rows = dimension) const {
    Vector<T> result{};
    const auto from = [&](const Entry& e) -> const T& { return (e.of_constant ? b_ : x)[e.from]; };
    for_each_entry(
        t, rows, [&](const Entry& e) { return !is_zero(from(e)); },
        [&](const Entry& e, const T& value) { result[e.to] += value * from(e); });
    return result;
  }

  /// Of m, and of k, which are not 0 for ever: by row, then column, m before k.
  struct Entry {
    std::size_t to, from;
    bool of_constant;
    auto operator<=>(const Entry& o) const {
      return std::tuple(to, of_constant, from) <=> std::tuple(o.to, o.of_constant, o.from);
    }
    bool operator==(const Entry&) const = default;
  };
  /// Calls visit(entry, its value after `t`) for those of the first rows that are wanted.
  template <class Wanted, class Visit>
  void for_each_entry(double t, std::size_t rows, Wanted&& wanted, Visit&& visit) const {
    const Needed needed = needed_for(rows);
    if constexpr (std::is_same_v<T, double>) {
      std::array<double, most_differences> values;
      differences_at(std::span(differences_).first(needed.differences), t, values.data());
      for_each_entry(needed, wanted, visit, [&](std::size_t m) { return values[m]; });
    } else {
      thread_local Known known;
      known.set = {};
      for_each_entry(needed, wanted, visit,
                     [&](std::size_t m) -> const T& { return difference_at(m, t, known); });
    }
  }

  /// What an entry is the sum of: each path's factor times the value of its difference.
  struct Path {
    Entry entry;
    unsigned nodes;  // a bit each
    std::size_t difference;
    T factor;
  };
  std::span<const Path> paths(std::size_t rows) const {
    return std::span(paths_).first(needed_for(rows).paths);
  }
  std::span<const Difference> differences(std::size_t rows) const {
    return std::span(differences_).first(needed_for(rows).differences);
  }

 private:
  static constexpr std::size_t of_constant = dimension;
  struct Needed {
    std::size_t differences = 0, paths = 0;  // the first so many
  };
  Matrix<T> a_{};
  Vector<T> b_{};
  Nodes<T>
      nodes_{};  // the eigenvalues of a, which are its diagonal, and 0 of the constant: ascending
  std::array<std::size_t, dimension + 1> order_{};  // whose they are
  std::size_t count_ = 0;
  std::vector<Path> paths_;
  std::vector<Difference> differences_;  // each behind those that it is made of
  Needed of_state_;                      // without the integral's row, which is the last one

  Needed needed_for(std::size_t rows) const {
    return rows < dimension ? of_state_ : Needed{differences_.size(), paths_.size()};
  }
  std::size_t index_of(const Path& path) const {
    return static_cast<std::size_t>(&path - paths_.data());
  }
  template <class Wanted, class Visit, class ValueOf>
  void for_each_entry(Needed needed, Wanted& wanted, Visit& visit, ValueOf&& value_of) const {
    for (std::size_t k = 0; k < needed.paths;) {
      const Entry& entry = paths_[k].entry;
      const bool skip = !wanted(entry);
      T value{};
      for (; k < needed.paths && paths_[k].entry == entry; ++k) {
        if (!skip) value += paths_[k].factor * value_of(paths_[k].difference);
      }
      if (!skip) visit(entry, value);
    }
  }

  // Adds the path that ends at node `at`, and all that go on from there.
  void follow(Entry entry, std::size_t at, unsigned set, const T& factor) {
    entry.to = order_[at];
    paths_.push_back({entry, set, 0, factor});
    for (std::size_t m = 0; m < count_; ++m) {
      const std::size_t next = order_[m];
      if (m == at || next == of_constant || is_zero(a_[next][entry.to])) continue;
      follow(entry, m, set | 1U << m, factor * a_[next][entry.to]);
    }
  }
  // All that start at the constant, which drives what has a `b`.
  void follow_constant(std::size_t constant) {
    for (std::size_t m = 0; m < count_; ++m) {
      const std::size_t driven = order_[m];
      if (driven == of_constant || is_zero(b_[driven])) continue;
      follow({driven, driven, true}, m, 1U << constant | 1U << m, T(1));
    }
  }
  // Of e^(z t): those that were found out.
  struct Known {
    std::array<T, 1U << (dimension + 1)> values;
    std::array<bool, 1U << (dimension + 1)> set;
  };
  const T& difference_at(std::size_t m, double t, Known& known) const {
    T& value = known.values[m];
    if (known.set[m]) return value;
    known.set[m] = true;
    const Difference& d = differences_[m];
    const T spread = nodes_[d.nodes[d.order]] - nodes_[d.nodes[0]];
    if (number(spread) * t <= 1) return value = close(d, t);
    return value = (difference_at(d.without_first, t, known) -
                    difference_at(d.without_last, t, known)) /
                   spread;
  }
  std::size_t difference(unsigned set) {
    for (std::size_t m = 0; m < differences_.size(); ++m) {
      if (differences_[m].set == set) return m;
    }
    Difference d{set, 0, {}, 0, 0};
    for (std::size_t m = 0; m < count_; ++m) {
      if (set & 1U << m) d.nodes[d.order++] = m;
    }
    --d.order;
    if constexpr (std::is_same_v<T, double>) prepare(d);
    if (d.order > 0) {
      d.without_first = difference(set & ~(1U << d.nodes[0]));
      d.without_last = difference(set & ~(1U << d.nodes[d.order]));
    }
    differences_.push_back(d);
    return differences_.size() - 1;
  }
  // For differences_at().
  void prepare(Difference& d) {
    d.rate = nodes_[d.nodes[d.order]];
    if (d.order == 0) {
      d.last = 0;
      while (d.last < differences_.size() &&
             !(differences_[d.last].order == 0 && differences_[d.last].rate == d.rate)) {
        ++d.last;
      }
      return;
    }
    d.last = difference(1U << d.nodes[d.order]);
    d.spread = d.rate - nodes_[d.nodes[0]];
    d.per_spread = 1 / d.spread;
    Nodes<double> y{}, h{};
    double inverse = 1;  // of (p + k)!
    for (std::size_t k = 0; k <= d.order; ++k) {
      y[k] = d.spread == 0 ? 0 : (nodes_[d.nodes[k]] - d.rate) / d.spread;
      h[k] = 1;
      if (k > 0) inverse /= static_cast<double>(k);
    }
    for (std::size_t p = 0; p < Difference::terms; ++p) {
      d.series[p] = h[d.order] * inverse;
      inverse /= static_cast<double>(p + 1 + d.order);
      h[0] *= y[0];
      for (std::size_t k = 1; k <= d.order; ++k) h[k] = h[k - 1] + y[k] * h[k];
    }
  }
  T close(const Difference& d, double t) const {
    using std::exp;
    if (d.order == 0) return exp(nodes_[d.nodes[0]] * t);
    Nodes<T> z;
    double power = 1;
    for (std::size_t k = 0; k <= d.order; ++k) z[k] = nodes_[d.nodes[k]] * t;
    for (std::size_t k = 0; k < d.order; ++k) power *= t;
    return close_exponential(z, d.order) * power;
  }
};

}  // namespace saltus::linear
