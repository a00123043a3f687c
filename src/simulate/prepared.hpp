// SPDX-License-Identifier: Apache-2.0
// The one door of the public functions that take a network: what comes in is checked, and the
// network made ready to run. (A training checks once, and keeps a Plan.)
#pragma once

#include <string_view>

#include "plan/plan.hpp"
#include "saltus/simulate.hpp"

namespace saltus {

template <class Real>
struct Prepared {
  Plan<Real> plan;
  const Inputs& inputs;
  const Record<Real>* record = nullptr;

  /// @throws InvalidInput  what Network::check() refuses; inputs that do not fit the network
  Prepared(const Network<Real>& network, const Inputs& given, const Options& options);
  /// @throws InvalidInput  also a record that is not one of this network and these inputs
  Prepared(const Network<Real>& network, const Inputs& given, const Record<Real>& of,
           const Options& options);

  /// A population whose state is asked for. @param what  "integral"
  /// @throws InvalidInput  there is none with this number; an input
  const Population& neurons(std::size_t population, std::string_view what) const;
};

}  // namespace saltus
