// SPDX-License-Identifier: Apache-2.0
// The flow of dx/dt = a x + b in closed form, where no component acts on itself through others, but for
// two that oscillate (docs/theory.md, section 14). For every path from a component to another the
// exponential of the matrix has a product of entries of `a` and a divided difference of the
// exponential, which is positive: nothing cancels, however far the time constants lie apart. The pair
// that oscillates is one step of a path, of a complex rate.
// In double these are found with the same bits one by one and in vectors (neuron/linear_flow-inl.hpp).
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <compare>
#include <cstddef>
#include <optional>
#include <span>
#include <tuple>
#include <type_traits>
#include <vector>

#include "machine/exponential.hpp"
#include "neuron/oscillation.hpp"

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

/// The same where one of them is complex, in any order, from their sizes next to their middle on.
template <class T>
Complex<T> close_exponential(const std::array<Complex<T>, dimension + 1>& z, std::size_t order,
                             const Complex<T>& middle) {
  std::array<Complex<T>, dimension + 1> y, h;
  double inverse = 1;  // of (p + k)!
  double reach = 0;
  for (std::size_t k = 0; k <= order; ++k) {
    y[k] = z[k] - middle;
    h[k] = {T(1), T(0)};
    reach = std::max(reach, y[k].size());
    if (k > 0) inverse /= static_cast<double>(k);
  }
  Complex<T> sum{T(inverse), T(0)};
  double left = 1;  // what the terms from p on are at most, next to e^middle
  for (int p = 1; left > 1e-17; ++p) {
    left *= reach / p;
    inverse /= static_cast<double>(p) + static_cast<double>(order);
    h[0] = h[0] * y[0];
    for (std::size_t k = 1; k <= order; ++k) h[k] = h[k - 1] + y[k] * h[k];
    sum = sum + h[order] * inverse;
  }
  return sum * exp(middle);
}

/// A divided difference of e^(z t) at some eigenvalues z, ascending.
struct Difference {
  unsigned set;                                  // of nodes, a bit each
  std::size_t order;                             // nodes less one
  std::array<std::size_t, dimension + 1> nodes;  // ascending
  // The differences that this one is made of: without its first node, and without its last. With the
  // pair that oscillates: without that, and without the one that lies furthest from it.
  std::size_t without_first, without_last;
  enum class Part {
    whole,
    real,
    imaginary
  } part = Part::whole;  // real and imaginary: with the pair
  std::size_t furthest = 0;

  // What its value in double is found from.
  static constexpr std::size_t terms = 19;
  std::size_t last = 0;                   // e^(z t) of the last node: that of any of the same z
  double rate = 0;                        // z of the last node
  double spread = 0, per_spread = 0;      // from the first node to the last
  std::array<double, terms> series = {};  // of order 2 and more: powers of spread t
};
inline constexpr std::size_t most_differences = 1U << (dimension + 1);

/// What one of order 1 and more is found from, but for its places in a list.
/// @param z  of its nodes, ascending: order + 1, at most one more than there are nodes
inline void prepare(Difference& d, std::span<const double> z) {
  const double last = z[d.order];
  d.spread = last - z[0];
  d.per_spread = 1 / d.spread;
  std::array<double, dimension + 2> y{}, h{};
  double inverse = 1;  // of (p + k)!
  for (std::size_t k = 0; k <= d.order; ++k) {
    y[k] = d.spread == 0 ? 0 : (z[k] - last) / d.spread;
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
      : a_(matrix), b_(constant), pair_(pair_of<T>(matrix)) {
    // The pair is one node, which stands where its first component would.
    for (std::size_t k = 0; k < components; ++k) {
      if (!pair_ || k != pair_->components[1]) order_[count_++] = k;
    }
    order_[count_++] = integral_of_v;
    order_[count_++] = of_constant;
    const auto rate = [this](std::size_t k) {
      if (is_paired(k)) return -pair_->decay;
      return k == of_constant ? T(0) : a_[k][k];
    };
    std::stable_sort(order_.begin(), order_.begin() + static_cast<std::ptrdiff_t>(count_),
                     [&](auto k, auto l) { return number(rate(k)) < number(rate(l)); });
    for (std::size_t m = 0; m < count_; ++m) nodes_[m] = rate(order_[m]);
    for (std::size_t m = 0; m < count_; ++m) {
      if (order_[m] == of_constant) {
        follow_constant(m);
        continue;
      }
      for (const std::size_t k : components_of(m)) {
        follow({k, k, false}, m, 1U << m, {T(1), T(0)});
      }
    }
    std::stable_sort(paths_.begin(), paths_.end(),
                     [](const Path& p, const Path& q) { return p.entry < q.entry; });
    for (Path& path : paths_) {
      path.difference = difference(path.nodes);
      if (path.imaginary) path.difference = imaginary_part(path.difference);
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
  /// The fastest rate of decay, or of the pair.
  double fastest() const {
    const double decay = std::fabs(number(nodes_[0]));
    return pair_ ? std::max(decay, pair_->rate().size()) : decay;
  }
  const std::optional<Pair<T>>& pair() const { return pair_; }
  /// The eigenvalues and the constant's 0, ascending.
  std::span<const T> rates() const { return std::span(nodes_).first(count_); }
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
    if (pair_) {
      thread_local KnownOfPair known;
      known.set = {};
      known.oscillates = {};
      for_each_entry(needed, wanted, visit, [&](std::size_t m) { return part_at(m, t, known); });
    } else if constexpr (std::is_same_v<T, double>) {
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
    bool imaginary = false;  // of a difference with the pair
  };
  std::span<const Path> paths(std::size_t rows) const {
    return std::span(paths_).first(needed_for(rows).paths);
  }
  std::span<const Difference> differences(std::size_t rows) const {
    return std::span(differences_).first(needed_for(rows).differences);
  }

 private:
  static constexpr std::size_t of_constant = dimension;
  // Through the pair: of the real and of the imaginary part of the difference.
  struct Factor {
    T real, imaginary;
    Factor times(const T& entry) const { return {real * entry, imaginary * entry}; }
  };
  struct Needed {
    std::size_t differences = 0, paths = 0;  // the first so many
  };
  Matrix<T> a_{};
  Vector<T> b_{};
  std::optional<Pair<T>> pair_;
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

  bool is_paired(std::size_t component) const { return pair_ && pair_->has(component); }
  std::span<const std::size_t> components_of(std::size_t node) const {
    if (is_paired(order_[node])) return pair_->components;
    return {&order_[node], 1};
  }

  bool has_pair(unsigned set) const {
    for (std::size_t m = 0; pair_ && m < count_; ++m) {
      if (set & 1U << m && is_paired(order_[m])) return true;
    }
    return false;
  }

  // Adds the path that ends at node `at`, at the component entry.to, and all that go on from there.
  void follow(Entry entry, std::size_t at, unsigned set, const Factor& factor) {
    if (!is_paired(entry.to)) return leave(entry, at, set, factor);
    const auto& [first, second] = pair_->components;
    const std::size_t in = entry.to == first ? 0 : 1;
    for (std::size_t out = 0; out < 2; ++out) {
      entry.to = out == 0 ? first : second;
      leave(entry, at, set,
            {out == in ? factor.real : T(0), factor.real * pair_->of_imaginary[out][in]});
    }
  }
  void leave(Entry entry, std::size_t at, unsigned set, const Factor& factor) {
    if (!has_pair(set)) {
      paths_.push_back({entry, set, 0, factor.real});
    } else {
      if (!is_zero(factor.real)) paths_.push_back({entry, set, 0, factor.real});
      if (!is_zero(factor.imaginary)) paths_.push_back({entry, set, 0, factor.imaginary, true});
    }
    const std::size_t from = entry.to;
    for (std::size_t m = 0; m < count_; ++m) {
      if (m == at || order_[m] == of_constant) continue;
      for (const std::size_t next : components_of(m)) {
        if (is_zero(a_[next][from])) continue;
        entry.to = next;
        follow(entry, m, set | 1U << m, factor.times(a_[next][from]));
      }
    }
  }
  // All that start at the constant, which drives what has a `b`.
  void follow_constant(std::size_t constant) {
    for (std::size_t m = 0; m < count_; ++m) {
      if (order_[m] == of_constant) continue;
      for (const std::size_t driven : components_of(m)) {
        if (is_zero(b_[driven])) continue;
        follow({driven, driven, true}, m, 1U << constant | 1U << m, {T(1), T(0)});
      }
    }
  }
  // Of e^(z t): those that were found out.
  struct Known {
    std::array<T, 1U << (dimension + 1)> values;
    std::array<bool, 1U << (dimension + 1)> set;
  };
  struct KnownOfPair : Known {
    std::array<Complex<T>, 1U << (dimension + 1)> oscillating;
    std::array<bool, 1U << (dimension + 1)> oscillates;
  };
  T part_at(std::size_t m, double t, KnownOfPair& known) const {
    const Difference& d = differences_[m];
    if (d.part == Difference::Part::real) return oscillating_at(m, t, known).re;
    if (d.part == Difference::Part::imaginary) return oscillating_at(d.without_last, t, known).im;
    return difference_at(m, t, known);
  }
  // Where the pair is among the nodes: by its distance from the one furthest from it, which no two of
  // the others lie further apart than twice.
  const Complex<T>& oscillating_at(std::size_t m, double t, KnownOfPair& known) const {
    Complex<T>& value = known.oscillating[m];
    if (known.oscillates[m]) return value;
    known.oscillates[m] = true;
    const Difference& d = differences_[m];
    if (d.order == 0) return value = exp(pair_->rate() * t);
    const Complex<T> spread = node(d.furthest) - pair_->rate();
    if (spread.size() * t <= 1) return value = close_oscillating(d, t);
    const Complex<T> others{difference_at(d.without_first, t, known), T(0)};
    return value = (others - oscillating_at(d.without_last, t, known)) / spread;
  }
  Complex<T> node(std::size_t m) const {
    return is_paired(order_[m]) ? pair_->rate() : Complex<T>{nodes_[m], T(0)};
  }
  Complex<T> close_oscillating(const Difference& d, double t) const {
    std::array<Complex<T>, dimension + 1> z;
    double power = 1;
    for (std::size_t k = 0; k <= d.order; ++k) z[k] = node(d.nodes[k]) * t;
    for (std::size_t k = 0; k < d.order; ++k) power *= t;
    const Complex<T> middle = (node(d.furthest) + pair_->rate()) * (0.5 * t);
    return close_exponential(z, d.order, middle) * power;
  }
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
    std::size_t first = 0;
    for (std::size_t m = 0; m < count_; ++m) {
      if (!(set & 1U << m)) continue;
      d.nodes[d.order++] = m;
      if (!is_paired(order_[m])) continue;
      d.part = Difference::Part::real;
      first = m;
    }
    --d.order;
    if (d.part == Difference::Part::real) {
      double distance = -1;
      for (std::size_t k = 0; k <= d.order; ++k) {
        const double there = (node(d.nodes[k]) - pair_->rate()).size();
        if (there <= distance) continue;
        distance = there;
        d.furthest = d.nodes[k];
      }
    } else {
      first = d.nodes[0];
      d.furthest = d.nodes[d.order];
    }
    if constexpr (std::is_same_v<T, double>) {
      if (!pair_) prepare(d);
    }
    if (d.order > 0) {
      d.without_first = difference(set & ~(1U << first));
      d.without_last = difference(set & ~(1U << d.furthest));
    }
    differences_.push_back(d);
    return differences_.size() - 1;
  }
  // Of one with the pair.
  std::size_t imaginary_part(std::size_t of) {
    for (std::size_t m = 0; m < differences_.size(); ++m) {
      const Difference& d = differences_[m];
      if (d.part == Difference::Part::imaginary && d.without_last == of) return m;
    }
    Difference d{0, 0, {}, 0, of};
    d.part = Difference::Part::imaginary;
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
    Nodes<double> z;
    for (std::size_t k = 0; k <= d.order; ++k) z[k] = nodes_[d.nodes[k]];
    linear::prepare(d, z);
  }
  T close(const Difference& d, double t) const {
    using std::exp;
    if (d.order == 0) return exp(nodes_[d.nodes[0]] * t);
    if constexpr (std::is_same_v<T, double>) {
      if (d.order == 1) {
        const double low = nodes_[d.nodes[0]] * t, width = nodes_[d.nodes[1]] * t - low;
        return std::exp(low) * (width == 0 ? 1 : std::expm1(width) / width) * t;
      }
    }
    Nodes<T> z;
    double power = 1;
    for (std::size_t k = 0; k <= d.order; ++k) z[k] = nodes_[d.nodes[k]] * t;
    for (std::size_t k = 0; k < d.order; ++k) power *= t;
    return close_exponential(z, d.order) * power;
  }
};

}  // namespace saltus::linear
