// SPDX-License-Identifier: Apache-2.0
// A neuron between two events as x(t) = exp(M t) x(0), x = (V, I, h or the second I, a, U, integral of V, 1), with
// derivatives by its parameters: a Taylor series of the matrix, scaled and squared, and not a closed
// form in sight. Crossings are looked for step by step.
#pragma once

#include <array>
#include <cstddef>

#include "oracle.hpp"

namespace saltus_oracle {

// The neuron's parameters in the order of Gradient; they follow the weights, delays and input
// times.
enum Parameter : std::size_t {
  tau_mem,
  tau_syn,
  v_threshold,
  v_reset,
  bias,
  tau_ref,
  v_initial,
  i_initial,
  beta,
  tau_adapt,
  a_initial,
  tau_rise,
  tau_syn_in,
  frequency,
  u_reset,
  u_initial,
  parameters
};

namespace matrix_course {

enum Component : std::size_t { v, i, h, a, u, integral, one, components };
using Vector = std::array<Scalar, components>;
using Matrix = std::array<Vector, components>;  // [row][column]

// A matrix with its derivatives by the neuron's parameters.
struct Differentiable {
  Matrix value{};
  std::array<Matrix, parameters> d{};
};

// M, and exp(M t).
Differentiable generator(const Neuron& neuron, bool clamped);
Differentiable exponential(const Differentiable& m, Scalar t);
Vector product(const Matrix& m, const Vector& x);
// exp(M t) x for a t of a small part of the fastest time constant.
Vector step(const Matrix& m, const Vector& x, Scalar t);

// What an arrival of weight 1 adds to the state, and its derivatives.
struct Kick {
  Vector value{};
  std::array<Vector, parameters> d{};
};
Kick kick(const Neuron& neuron, int receptor);

// V - theta(t).
Scalar distance(const Neuron& neuron, const Vector& x);

// The first t in (0, limit] at which it comes up to 0; infinity if there is none.
Scalar first_crossing(const Neuron& neuron, const Vector& x, Scalar limit);

// When all that decays has.
Scalar rest(const Neuron& neuron);

}  // namespace matrix_course
}  // namespace saltus_oracle
