// SPDX-License-Identifier: Apache-2.0
// Kernels are functions in vectors, compiled once for each instruction set; a call takes those of
// the best one that the machine has. A header declares them, as a struct of pointers,
//
//     template <class Real>
//     struct LayerKernels {
//       void (*arrive)(LayerState<Real>& state, const Real* row);
//       static const LayerKernels& best();
//     };
//
// <name>_kernel.cpp, which Highway compiles again and again, defines them as templates, and ends
//
//     SALTUS_KERNELS(LayerKernels, arrive<Real>)
//
//     }  // namespace
//     }  // namespace HWY_NAMESPACE
//     }  // namespace saltus
//     HWY_AFTER_NAMESPACE();
//
//     #if HWY_ONCE
//     namespace saltus {
//     SALTUS_DISPATCH(LayerKernels)
//     }  // namespace saltus
//     #endif
//
// A caller writes LayerKernels<Real>::best().arrive(state, row). (Tests go through all instruction
// sets: what is the best may change from call to call, but not within one.)
#pragma once

#include <hwy/highway.h>

#include <type_traits>

/// The kernels of one instruction set, in the order of the struct.
#define SALTUS_KERNELS(Kernels, ...)                               \
  template <class Real>                                            \
  constexpr Kernels<Real> kernels{__VA_ARGS__};                    \
  const Kernels<float>& float_kernels() { return kernels<float>; } \
  const Kernels<double>& double_kernels() { return kernels<double>; }

/// Kernels::best() for both precisions.
#define SALTUS_DISPATCH(Kernels)                         \
  HWY_EXPORT(float_kernels);                             \
  HWY_EXPORT(double_kernels);                            \
  template <class Real>                                  \
  const Kernels<Real>& Kernels<Real>::best() {           \
    if constexpr (std::is_same_v<Real, float>) {         \
      return HWY_DYNAMIC_DISPATCH(float_kernels)();      \
    } else {                                             \
      return HWY_DYNAMIC_DISPATCH(double_kernels)();     \
    }                                                    \
  }                                                      \
  template const Kernels<float>& Kernels<float>::best(); \
  template const Kernels<double>& Kernels<double>::best();
