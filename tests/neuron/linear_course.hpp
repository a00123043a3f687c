// SPDX-License-Identifier: Apache-2.0
// How y = V - beta a of a neuron goes on in extended precision, without a method of src/neuron: where
// its peaks are, and how high. It goes in strides of a small part of the fastest time constant, by the
// exponential of the matrix; an extremum lies where the slope changes its sign in a stride, and two
// where it bends away from 0 and has been beyond.
#pragma once

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "matrix_course.hpp"

namespace saltus::linear_course {

using saltus_oracle::Scalar;
namespace course = saltus_oracle::matrix_course;

struct Peak {
  Scalar time, height;
};

class Course {
 public:
  std::vector<Peak> peaks;
  Scalar start, end;

  Course(const saltus_oracle::Neuron& neuron, const course::Vector& x, Scalar until)
      : m_(course::generator(neuron, false).value), stride_(stride(neuron)) {
    y_[course::v] = 1;
    y_[course::a] = -neuron.beta;
    slope_ = before(y_);
    bend_ = before(slope_);
    course::Matrix over{};  // a stride, [from][to]
    for (std::size_t c = 0; c < course::components; ++c) {
      course::Vector unit{};
      unit[c] = 1;
      over[c] = course::step(m_, unit, stride_);
    }
    start = of(y_, x);
    states_.push_back(x);
    for (Scalar t = 0; t < until; t = stride_ * static_cast<Scalar>(states_.size() - 1)) {
      const Scalar by = std::min(stride_, until - t);
      const course::Vector& from = states_.back();
      course::Vector to{};
      if (by < stride_) {
        to = course::step(m_, from, by);
      } else {
        for (std::size_t c = 0; c < course::components; ++c) {
          for (std::size_t k = 0; from[c] != 0 && k < course::components; ++k) {
            to[k] += over[c][k] * from[c];
          }
        }
      }
      find_peak(t, from, to, by);
      states_.push_back(to);
    }
    end = of(y_, states_.back());
  }

  /// y at a time.
  Scalar at(Scalar t) const {
    const auto k = std::min(static_cast<std::size_t>(t / stride_), states_.size() - 1);
    return of(y_, course::step(m_, states_[k], t - stride_ * static_cast<Scalar>(k)));
  }

 private:
  course::Matrix m_;
  Scalar stride_;
  course::Vector y_{}, slope_{}, bend_{};  // what gives y and its derivatives of a state
  std::vector<course::Vector> states_;     // stride by stride

  static Scalar stride(const saltus_oracle::Neuron& n) {
    using Current = saltus_oracle::Neuron::Current;
    double fastest = std::min(n.tau_mem, n.tau_adapt);
    if (n.current != Current::delta) fastest = std::min(fastest, n.tau_syn);
    if (n.current == Current::double_exponential) fastest = std::min(fastest, n.tau_rise);
    if (n.current == Current::two) fastest = std::min(fastest, n.tau_syn_in);
    if (n.resonates) fastest = std::min(fastest, 1 / (6 * n.frequency));
    return Scalar(fastest) / 16;
  }
  static Scalar of(const course::Vector& w, const course::Vector& x) {
    Scalar sum = 0;
    for (std::size_t c = 0; c < course::components; ++c) sum += w[c] * x[c];
    return sum;
  }
  // w m
  course::Vector before(const course::Vector& w) const {
    course::Vector result{};
    for (std::size_t c = 0; c < course::components; ++c) {
      for (std::size_t k = 0; k < course::components; ++k) result[k] += w[c] * m_[c][k];
    }
    return result;
  }
  // Where w x, of different signs at both ends of a stride, is 0: Newton, held between them.
  Scalar zero(const course::Vector& w, const course::Vector& x, Scalar low, Scalar high) const {
    const course::Vector derivative = before(w);
    const bool falls = of(w, course::step(m_, x, low)) > 0;
    Scalar t = (low + high) / 2;
    for (int k = 0; k < 200; ++k) {
      const course::Vector here = course::step(m_, x, t);
      const Scalar value = of(w, here);
      ((value > 0) == falls ? low : high) = t;
      Scalar next = t - value / of(derivative, here);
      if (!(next > low && next < high)) next = (low + high) / 2;
      if (std::fabs(next - t) <= 1e-17L * stride_) break;
      t = next;
    }
    return t;
  }
  void find_peak(Scalar t, const course::Vector& from, const course::Vector& to, Scalar by) {
    const Scalar s0 = of(slope_, from), s1 = of(slope_, to);
    Scalar low = 0, high = by;
    if ((s0 > 0) == (s1 > 0)) {
      const Scalar b0 = of(bend_, from), b1 = of(bend_, to);
      const bool turns_back = s0 > 0 ? b0 < 0 && b1 > 0 : b0 > 0 && b1 < 0;
      if (!turns_back) return;
      const Scalar extreme = zero(bend_, from, 0, by);
      if ((of(slope_, course::step(m_, from, extreme)) > 0) == (s0 > 0)) return;
      (s0 > 0 ? high : low) = extreme;  // the peak lies before it, or behind
    } else if (s0 <= 0) {
      return;
    }
    const Scalar top = zero(slope_, from, low, high);
    peaks.push_back({t + top, of(y_, course::step(m_, from, top))});
  }
};

}  // namespace saltus::linear_course
