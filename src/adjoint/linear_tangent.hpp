// SPDX-License-Identifier: Apache-2.0
// x of linear neurons with its derivatives s = dx/dq by parameters (docs/theory.md, section 14), side by
// side: only those of their components that a gradient needs. The mirror for LIF is adjoint/tangent.hpp.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "machine/aligned.hpp"
#include "machine/slots.hpp"
#include "neuron/linear.hpp"
#include "neuron/linear_slopes.hpp"

namespace saltus {

/// Which components of x and of s there are, and how they move: s' = m s + (dm/dq) x. Of neurons that have V
/// held alone, after a spike, and whose components depend on none before them (linear::Alike).
class TangentShape {
 public:
  static constexpr std::size_t nobody = static_cast<std::size_t>(-1);

  /// A row of numbers, one for each neuron: a component of x (by: 0), of s (by: 1 + the number of the parameter),
  /// or what drives it, in the same way, which does not move.
  struct Row {
    std::size_t component, by;
    bool constant;
    bool operator==(const Row&) const = default;
  };
  /// row[to] = the sum of the terms' number * row[from], one after the other: none of these has moved yet.
  struct Term {
    std::size_t number, from;
  };
  struct Update {
    std::size_t to, first, last;  // of the terms
  };
  /// An arrival adds its weight times a factor to a row.
  struct Receiver {
    std::size_t receptor, row;
  };
  /// What a spike sets a row to: the sum of an entry of the reset times a row before it, or (from: nobody)
  /// of what it resets to.
  struct Reset {
    std::size_t to, from, component, by;
  };

  /// @param systems  that move the neurons: one for all, or one for each
  /// @param rows  as for System::flow
  TangentShape(std::span<const linear::Motion<Dual>> motions,
               std::span<const linear::System<Dual>* const> systems, std::size_t rows);

  bool empty() const { return updates_.empty(); }
  /// Does no component depend on one before it?
  bool in_order() const { return in_order_; }
  std::span<const Row> rows() const { return rows_; }
  std::span<const Term> terms() const { return terms_; }
  std::span<const Update> updates() const { return updates_; }
  std::span<const Receiver> receivers() const { return receivers_; }
  std::span<const Reset> resets() const { return resets_; }
  /// Its place, or nobody.
  std::size_t row(const Row& row) const;
  std::size_t numbers() const { return numbers_.size(); }
  /// Of an entry or its derivative, or -1.
  int number_of(const linear::SlopedEntry& e) const;

  /// A neuron's number of a row at the start, of what a weight is multiplied with, of a reset.
  static double initial(const linear::Motion<Dual>& n, const Row& row);
  double factor(const linear::Motion<Dual>& n, const Receiver& r) const;
  static double reset(const linear::Motion<Dual>& n, const Reset& r, std::span<const Row> rows);

 private:
  std::vector<Row> rows_;
  std::vector<Term> terms_;
  std::vector<Update> updates_;
  std::vector<Receiver> receivers_;
  std::vector<Reset> resets_;
  std::vector<linear::SlopedEntry> numbers_;
  bool in_order_ = true;
};

/// The rows of some neurons. Memory is kept.
class LinearTangents {
 public:
  void start(const TangentShape& shape, std::size_t neurons) {
    shape_ = &shape;
    layout_ = SlotLayout(neurons);
    stride_ =
        layout_.count() + widest_vector;  // powers of 2 would meet in a few lines of the cache
    const std::size_t count = shape.rows().size() + shape.receivers().size();
    memory_.reserve(count * stride_);
    std::fill_n(memory_.data(), count * stride_, 0.0);
  }
  const TangentShape& shape() const { return *shape_; }
  const SlotLayout& layout() const { return layout_; }
  double* row(std::size_t number) const { return memory_.data() + number * stride_; }
  double* factors(std::size_t receiver) const { return row(shape_->rows().size() + receiver); }

  void get(std::size_t lane, double* numbers) const {
    const std::size_t s = layout_.slot_of(lane);
    for (std::size_t r = 0; r < shape_->rows().size(); ++r) numbers[r] = row(r)[s];
  }
  void set(std::size_t lane, const double* numbers) {
    for (const std::size_t s : {layout_.slot_of(lane), layout_.second_slot_of(lane)}) {
      for (std::size_t r = 0; r < shape_->rows().size(); ++r) row(r)[s] = numbers[r];
    }
  }
  double factor(std::size_t receiver, std::size_t lane) const {
    return factors(receiver)[layout_.slot_of(lane)];
  }
  void set_factor(std::size_t receiver, std::size_t lane, double value) {
    for (const std::size_t s : {layout_.slot_of(lane), layout_.second_slot_of(lane)}) {
      factors(receiver)[s] = value;
    }
  }

 private:
  const TangentShape* shape_ = nullptr;
  SlotLayout layout_;
  std::size_t stride_ = 0;
  Aligned<double> memory_;
};

/// adjoint/linear_tangent_kernel.cpp (machine/dispatch.hpp).
template <class Real>
struct LinearTangentKernels {
  /// Adds a row of weights times the receiver's factors.
  void (*add)(const LinearTangents& lanes, const Real* weights, std::size_t receiver);
  /// Takes all rows over an interval.
  /// @param values  of the numbers @param own  of each neuron its own: values[number * own + slot]; 0: shared
  void (*flow)(const LinearTangents& lanes, const double* values, std::size_t own);

  static const LinearTangentKernels& best();
};

}  // namespace saltus
