// SPDX-License-Identifier: Apache-2.0
// A record together with the network and the inputs that it came from, so that they cannot drift
// apart.
#pragma once

#include <fmt/format.h>
#include <nanobind/stl/tuple.h>

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "arrays.hpp"
#include "interrupt.hpp"
#include "machine/digest.hpp"
#include "saltus/error.hpp"
#include "saltus/loss.hpp"
#include "saltus/network.hpp"
#include "saltus/observe.hpp"

namespace saltus::python {

using Net = Network<double>;
using SpikeArrays = std::tuple<In<double>, In<std::int32_t>, In<std::int64_t>>;

inline SpikeView view_of(const SpikeArrays& arrays) {
  const auto& [times, neurons, offsets] = arrays;
  return {span_of(offsets), span_of(times), span_of(neurons)};
}

// Enough to notice that an array was written to.
inline std::uint64_t fingerprint(const Inputs& inputs) {
  Digest digest;
  const auto add = [&](const std::string& name, const auto& values) {
    digest.add(name, values.data(), values.size_bytes());
  };
  for (std::size_t k = 0; k < inputs.spikes.size(); ++k) {
    add(fmt::format("times {}", k), inputs.spikes[k].times);
    add(fmt::format("neurons {}", k), inputs.spikes[k].neurons);
    add(fmt::format("offsets {}", k), inputs.spikes[k].offsets);
  }
  return digest.value();
}

template <class Real>
struct Run {
  std::shared_ptr<const Network<Real>> network;     // a snapshot: nobody changes it
  std::vector<SpikeArrays> arrays;                  // keep alive what `inputs` looks at ...
  std::vector<std::shared_ptr<const Spikes>> kept;  // ... if the spikes are not the user's own
  std::vector<double> t_end;
  Inputs inputs;
  std::uint64_t seen = 0;  // fingerprint of the inputs
  Options options;
  Record<Real> record;
  std::map<std::size_t, std::shared_ptr<const Maxima<Real>>> maxima;  // found so far

  Run(std::shared_ptr<Net> net, std::vector<SpikeArrays> spikes, const In<double>& end, int threads)
      : arrays(std::move(spikes)), t_end(vector_of(end)) {
    if constexpr (std::is_same_v<Real, double>) {
      network = std::move(net);
    } else {
      network = std::make_shared<Network<Real>>(convert<Real>(*net));
    }
    for (const SpikeArrays& a : arrays) inputs.spikes.push_back(view_of(a));
    inputs.t_end = t_end;
    options.threads = threads;
  }

  // A copy of a minibatch of a training: a loss may keep it.
  explicit Run(const Batch<Real>& batch)
      : network(std::make_shared<Network<Real>>(batch.network)),
        t_end(batch.inputs.t_end.begin(), batch.inputs.t_end.end()),
        record(batch.record) {
    for (const SpikeView& from : batch.inputs.spikes) {
      kept.push_back(std::make_shared<Spikes>(Spikes{{from.offsets.begin(), from.offsets.end()},
                                                     {from.times.begin(), from.times.end()},
                                                     {from.neurons.begin(), from.neurons.end()}}));
      inputs.spikes.push_back(kept.back()->view());
    }
    inputs.t_end = t_end;
    seen = fingerprint(inputs);
    options.threads = batch.threads;
  }

  // The same inputs, another network or record.
  Run(const Run& other, std::shared_ptr<const Network<Real>> net, Record<Real> found)
      : network(std::move(net)),
        arrays(other.arrays),
        kept(other.kept),
        t_end(other.t_end),
        inputs{other.inputs.spikes, t_end, other.inputs.state},
        seen(other.seen),
        options(other.options),
        record(std::move(found)) {}

  // The network that the record belongs to, or `other` with other values.
  std::shared_ptr<const Network<Real>> network_or(const Net* other) const {
    if (!other) return network;
    return std::make_shared<Network<Real>>(convert<Real>(*other));
  }

  // The inputs are the user's own arrays: what is computed from them later must still be about the
  // same spikes (and inside the memory that was checked).
  void check_unchanged() const {
    if (fingerprint(inputs) == seen) return;
    throw InvalidInput(
        "the arrays of the input spikes were changed after the simulation, which uses them in "
        "place; "
        "simulate again, or pass copies");
  }
};

}  // namespace saltus::python
