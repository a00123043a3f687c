// SPDX-License-Identifier: Apache-2.0
// Many courses of V that no spike interrupts, side by side: of neurons that decay alike and see the
// same arrivals (ghosts/free_course.hpp has one of them). All stand at the same time; who has
// something happen in the interval before it is listed, and left to the caller.
#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "machine/lanes.hpp"
#include "neuron/decay.hpp"

namespace saltus {

/// V and I of several neurons over an interval, in arrays filled up to whole vectors.
template <class Real>
struct Stretch {
  Real *v, *i, *v_end, *i_before;
  std::size_t count;
};

template <class Real>
class FreeCourses {
 public:
  using Index = std::conditional_t<sizeof(Real) == 4, std::int32_t, std::int64_t>;

  std::vector<Real> v, i, v_end;  // at the start of an interval; V at its end
  std::vector<Real> i_before;     // I just before what arrived last
  std::vector<Real> bias, level;
  std::vector<Index> neuron;
  std::vector<std::size_t> id;

  std::size_t count() const { return id.size(); }
  Stretch<Real> stretch() { return {v.data(), i.data(), v_end.data(), i_before.data(), count()}; }
  /// Before another population: the lanes of a vector that hold no course read the row of weights
  /// too, at a number that must be one of its own.
  void clear() {
    resize(0);
    std::fill(neuron.begin(), neuron.end(), 0);
  }
  void add(std::size_t number, std::size_t of_neuron, Real b, Real v_now, Real i_now, Real l) {
    const std::size_t at = count();
    resize(at + 1);
    id[at] = number;
    neuron[at] = static_cast<Index>(of_neuron);
    bias[at] = b;
    v[at] = v_now;
    i[at] = i_before[at] = i_now;
    level[at] = l;
  }
  /// The last one takes its place.
  void remove(std::size_t at) {
    const std::size_t last = count() - 1;
    id[at] = id[last];
    for (auto* array : {&v, &i, &v_end, &i_before, &bias, &level}) (*array)[at] = (*array)[last];
    neuron[at] = neuron[last];
    resize(last);
  }

 private:
  // The arrays reach to the end of the last vector.
  void resize(std::size_t to) {
    id.resize(to);
    const std::size_t filled = (to + widest_vector) / widest_vector * widest_vector;
    if (filled <= v.size()) return;
    for (auto* array : {&v, &i, &v_end, &i_before, &bias, &level}) array->resize(filled);
    neuron.resize(filled);
  }
};

/// ghosts/free_courses_kernel.cpp (machine/dispatch.hpp).
template <class Real>
struct CourseKernels {
  /// Adds the weights that arrive to I.
  void (*arrive)(FreeCourses<Real>& courses, const Real* row);

  /// Takes V over an interval with decay `d`, to v_end, and lists where V does not rise throughout,
  /// or ends above its level.
  /// @param found  overwritten, ascending
  void (*climb)(FreeCourses<Real>& courses, const neuron::Decay<Real>& d,
                std::vector<std::int32_t>& found);

  /// The same, and lists where V may come up to its level.
  void (*await)(FreeCourses<Real>& courses, const neuron::Decay<Real>& d,
                std::vector<std::int32_t>& found);

  /// Then takes all to the end of the interval: V is known there.
  void (*to_the_end)(const Stretch<Real>& stretch, const neuron::Decay<Real>& d);

  static const CourseKernels& best();
};

}  // namespace saltus
