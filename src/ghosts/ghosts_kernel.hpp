// SPDX-License-Identifier: Apache-2.0
// Which neurons of a layer need a closer look for ghosts in an interval: all side by side, in
// vectors (ghosts/find.cpp).
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#include "ghosts/free_courses.hpp"
#include "machine/lanes.hpp"
#include "neuron/decay.hpp"

namespace saltus {

/// The state of all neurons of a layer, and what is awaited of each.
template <class Real>
class GhostLayer {
 public:
  Real *v, *i, *v_end;     // at the start of an interval; V at its end
  Real *bias, *bar;        // nothing below the bar matters
  Real* i_before;          // I just before what arrived last
  Real *rises, *did_rise;  // 1: V rises at the end of this interval, of the one before; else 0
  Real *waits, *fresh;     // 1: any piece that rises matters, any piece at all; else 0

  /// @param size  neurons; the arrays are filled up to whole vectors with neurons that never matter
  void start(std::size_t size) {
    const std::size_t stride = (size + widest_vector - 1) / widest_vector * widest_vector;
    memory_.assign(10 * stride, Real(0));
    count_ = stride;
    Real* at = memory_.data();
    for (Real** array :
         {&v, &i, &v_end, &bias, &bar, &i_before, &rises, &did_rise, &waits, &fresh}) {
      *array = at;
      at += stride;
    }
    std::fill(bar + size, bar + stride, std::numeric_limits<Real>::infinity());
  }
  std::size_t count() const { return count_; }
  Stretch<Real> stretch() const { return {v, i, v_end, i_before, count_}; }

 private:
  std::vector<Real> memory_;
  std::size_t count_ = 0;
};

/// ghosts/ghosts_kernel.cpp (machine/dispatch.hpp).
template <class Real>
struct GhostKernels {
  /// Takes V over an interval with decay `d` and lists who may rise above its bar in it where that
  /// matters: at a local maximum of V, or where it is awaited.
  /// @param any   every piece matters
  /// @param look  overwritten, ascending
  void (*look_closer)(GhostLayer<Real>& layer, const neuron::Decay<Real>& d, bool any,
                      std::vector<std::int32_t>& look);

  /// Adds the weights that arrive to I.
  void (*arrive)(GhostLayer<Real>& layer, const Real* row, std::size_t size);

  static const GhostKernels& best();
};

}  // namespace saltus
