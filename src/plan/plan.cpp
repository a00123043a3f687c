// SPDX-License-Identifier: Apache-2.0
#include "plan/plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "neuron/linear_crossing.hpp"
#include "saltus/error.hpp"

namespace saltus {
namespace {

[[noreturn]] void refuse_width(const Population& p, std::size_t j, double widest = linear::widest,
                               std::string_view fix = "bring them closer together") {
  throw InvalidInput(fmt::format(
      "model {}: the time constants of {}[{}] lie further apart than 1 : {:g}: spikes could be "
      "missed; {}",
      p.model->name, p.name, j, widest, fix));
}
// Of LIF and LI V is what is left of far larger currents then. (Slow synapses lose nothing.) In float32 a
// spike is off by 2e-3 tau_syn at this bound, and beyond it there are others than there should be.
constexpr double widest_in_float32 = 1e4;
template <class Real>
void check_width(const Population& p, std::size_t j, double tau_mem, double tau_syn) {
  if (tau_mem > linear::widest * tau_syn) refuse_width(p, j);
  if (std::is_same_v<Real, float> && tau_mem > widest_in_float32 * tau_syn) {
    refuse_width(p, j, widest_in_float32, "take float64, or bring them closer together");
  }
}

std::vector<linear::Neuron> linear_neurons(const Population& p) {
  const LinearModel& mathematics = *p.model->linear;
  std::vector<linear::Neuron> neurons;
  std::vector<double> values(p.parameters.size());
  for (std::size_t j = 0; j < (p.all_shared() ? 1 : p.size); ++j) {
    for (std::size_t k = 0; k < values.size(); ++k) values[k] = p.parameters[k][j];
    const auto n = mathematics.neuron(Values<double>(*p.model, values));
    if (linear::has_circle(n)) {
      throw InvalidInput(fmt::format(
          "model {}: a component acts on itself through others; expected none, or two that "
          "oscillate (docs/theory.md, section 14)",
          p.model->name));
    }
    if (linear::grows(n)) {
      throw InvalidInput(
          fmt::format("model {}: a component of {}[{}] grows by itself; expected none",
                      p.model->name, p.name, j));
    }
    if (linear::is_too_wide(n)) refuse_width(p, j);
    neurons.emplace_back(n, mathematics.components.size(), p.model->spikes);
  }
  return neurons;
}

// Within a cycle a spike that an arrival makes must reach others later: at one instant there would be no
// first and no last.
template <class Real>
void check_delays(const Network<Real>& network, const Component& component,
                  const std::vector<PopulationPlan<Real>>& populations) {
  for (const auto& projection : network.projections()) {
    if (!component.place_of(projection.source) || !component.place_of(projection.target)) continue;
    const auto& neurons = populations[projection.source].linear_neurons;
    const auto jumps = [](const linear::Neuron& n) { return n.jumps; };
    if (std::ranges::none_of(neurons, jumps)) continue;
    const auto& delays = projection.delay.values;
    if (!delays.empty() && *std::ranges::min_element(delays) > 0) continue;
    const Population& source = network.populations()[projection.source];
    throw InvalidInput(fmt::format(
        "'{}' to '{}' has synapses without a delay in a cycle; {} spikes at the very time at which "
        "spikes arrive, and all of it would happen at one instant: give the projection a delay "
        "above 0",
        source.name, network.populations()[projection.target].name, source.model->name));
  }
}

}  // namespace

template <class Real>
Plan<Real>::Plan(const Network<Real>& net, std::optional<Way> force, bool no_vectors)
    : network(&net),
      populations(net.populations().size()),
      component_of(populations.size(), -1),
      input_number(populations.size(), -1),
      scalar(no_vectors) {
  int inputs = 0;
  for (std::size_t i = 0; i < populations.size(); ++i) {
    const Population& p = net.populations()[i];
    if (p.model == Model::input) {
      input_number[i] = inputs++;
      continue;
    }
    if (p.model->linear) {
      populations[i].linear_neurons = linear_neurons(p);
      continue;
    }
    PopulationPlan<Real>& plan = populations[i];
    const bool lif = p.model == Model::lif;
    const Parameter &tau_mem = p["tau_mem"], &tau_syn = p["tau_syn"], &bias = p["bias"],
                    &v_initial = p["v_initial"], &i_initial = p["i_initial"];
    const Parameter never(infinity), none(0);
    const Parameter& v_threshold = lif ? p["v_threshold"] : never;
    const Parameter& v_reset = lif ? p["v_reset"] : none;
    const Parameter& tau_ref = lif ? p["tau_ref"] : none;
    for (std::size_t j = 0; j < (p.all_shared() ? 1 : p.size); ++j) {
      check_width<Real>(p, j, tau_mem[j], tau_syn[j]);
      plan.neurons.push_back({neuron::TimeConstants(tau_mem[j], tau_syn[j]),
                              static_cast<Real>(bias[j]), static_cast<Real>(v_threshold[j]),
                              static_cast<Real>(v_reset[j]), tau_ref[j],
                              static_cast<Real>(v_initial[j]), static_cast<Real>(i_initial[j])});
      plan.refractory = plan.refractory || plan.neurons.back().tau_ref > 0;
      plan.in_time = plan.in_time || plan.neurons.back().in_time();
      plan.same_time_constants =
          plan.same_time_constants && plan.neurons[j].tc == plan.neurons[0].tc;
    }
    // Side by side they have one form of the powers for every ratio; so also one by one.
    if (!plan.same_time_constants) {
      for (auto& n : plan.neurons) n.tc.integer_p = n.by_z.integer_p = 0;
    }
  }
  for (std::size_t k = 0; k < net.projections().size(); ++k) {
    populations[net.projections()[k].target].incoming.push_back(k);
  }
  for (std::size_t i = 0; i < populations.size(); ++i) {
    if (net.populations()[i].model->receptors().empty()) continue;
    auto receptors = std::make_shared<std::vector<std::uint8_t>>();
    for (const auto& projection : net.projections()) {
      receptors->push_back(static_cast<std::uint8_t>(projection.receptor));
    }
    for (linear::Neuron& n : populations[i].linear_neurons) n.receptor_of = {receptors};
  }
  fill_rows();
  for (PopulationPlan<Real>& p : populations) {
    p.per_column = std::ranges::any_of(p.incoming, [&](std::size_t k) { return has_lists(k); });
  }
  for (PopulationPlan<Real>& p : populations) {
    if (!p.is_linear() || !p.sees_the_same()) continue;
    const auto& model = *net.populations()[static_cast<std::size_t>(&p - populations.data())].model;
    p.alike_linear = linear::Alike::of(p.linear_neurons);
    p.motion = p.linear_alike()
                   ? p.alike_linear->motion()
                   : linear::shared_motion(p.linear_neurons, model.linear->components.size());
  }
  for (auto& component : saltus::components(net)) {
    for (const std::size_t p : component.populations) {
      component_of[p] = static_cast<int>(components.size());
    }
    cyclic = cyclic || component.cyclic;
    if (component.cyclic) check_delays(net, component, populations);
    Way way = !component.cyclic              ? Way::sweep
              : component.shortest_delay > 0 ? Way::windows
                                             : Way::event_loop;
    if (force && net.populations()[component.populations[0]].model->spikes) {
      const bool can = *force == Way::event_loop ||
                       (*force == Way::windows && component.shortest_delay > 0) ||
                       (*force == Way::sweep && !component.cyclic);
      if (can) way = *force;
    }
    components.push_back({std::move(component), way});
  }
  delays.resize(net.projections().size());
  for (std::size_t k = 0; k < delays.size(); ++k) {
    const auto& projection = net.projections()[k];
    const auto& values = projection.delay.values;
    const auto component = static_cast<std::size_t>(component_of[projection.target]);
    if (values.empty() || components[component].way != Way::windows) continue;
    const auto [shortest, longest] = std::minmax_element(values.begin(), values.end());
    delays[k] = {*shortest, *longest};
  }
}

namespace {

// A synapse that is listed costs as much as so many in a row: with zeros between them they are as fast,
// up to some size.
constexpr std::size_t dearer = 32, most_in_rows = std::size_t{1} << 22;

template <class Real>
bool dense_enough(const Projection<Real>& p, std::size_t pre, std::size_t post) {
  if (p.connection.all_to_all()) return true;
  return post >= widest_vector && pre * post <= most_in_rows &&
         p.connection.count(pre, post) * dearer >= pre * post;
}

}  // namespace

// A population has rows of all its projections or lists: one that needs lists makes them of all.
template <class Real>
void Plan<Real>::fill_rows() {
  const auto& projections = network->projections();
  std::vector<std::vector<Real>> filled(projections.size());
  for (const PopulationPlan<Real>& target : populations) {
    const bool rows = std::ranges::all_of(target.incoming, [&](std::size_t k) {
      const Projection<Real>& p = projections[k];
      return p.delay.kind != Delay::Kind::per_synapse &&
             dense_enough(p, size(p.source), size(p.target));
    });
    for (const std::size_t k : target.incoming) {
      const Projection<Real>& p = projections[k];
      const std::size_t pre = size(p.source), post = size(p.target);
      if (p.connection.all_to_all()) {
        if (post >= widest_vector) continue;
        filled[k].resize(pre * widest_vector, Real(0));
        for (std::size_t n = 0; n < pre; ++n) {
          std::copy_n(p.weight.data() + n * post, post, filled[k].data() + n * widest_vector);
        }
      } else if (rows) {
        filled[k].resize(pre * post, Real(0));
        const SynapseList& synapses = p.connection.synapses();
        for (std::size_t place = 0; place < synapses.size(); ++place) {
          const Synapse& s = synapses[place];
          filled[k][static_cast<std::size_t>(s.pre) * post + static_cast<std::size_t>(s.post)] +=
              p.weight[static_cast<std::size_t>(s.weight)];
        }
      }
    }
  }
  padded = std::make_shared<const std::vector<std::vector<Real>>>(std::move(filled));
}

namespace {

// With b = theta V goes to theta from below; where I outlives V - theta (section 2 of
// docs/theory.md) it gets there, again and again.
void check_ends(const Population& p, std::size_t sample) {
  const Parameter &bias = p["bias"], &v_threshold = p["v_threshold"], &tau_mem = p["tau_mem"],
                  &tau_syn = p["tau_syn"];
  for (std::size_t j = 0; j < p.size; ++j) {
    const bool slow = tau_syn[j] >= tau_mem[j];
    if (bias[j] < v_threshold[j] || (bias[j] == v_threshold[j] && !slow)) continue;
    throw InvalidInput(fmt::format(
        "t_end[{}] is infinite, but {}.bias[{}] = {} is {} v_threshold = {}: the neuron spikes for "
        "ever; give a finite end",
        sample, p.name, j, bias[j], bias[j] > v_threshold[j] ? "above" : "at", v_threshold[j]));
  }
}

// After a spike alone, does it spike again, and so for ever?
bool goes_on(const linear::Neuron& n, const linear::Vector<double>& at_rest) {
  linear::Vector<double> x = n.after_spike(at_rest);
  if (n.tau_ref > 0) x = n.held.flow(x, n.tau_ref, most_components);
  const double settles = n.settling_time();
  return linear::Search(n, x, !n.starts_above(x))
      .first(settles, n.free.flow(x, settles, most_components))
      .found();
}

// What is linear must come to rest, and below its threshold.
template <class Real>
void check_ends(const Population& p, const PopulationPlan<Real>& plan, std::size_t sample) {
  for (std::size_t j = 0; j < plan.linear_neurons.size(); ++j) {
    const linear::Neuron& n = plan.linear_neurons[j];
    const double settles = n.settling_time();
    if (!std::isinf(settles)) {
      const linear::Vector<double> rest = n.free.flow(n.initial, settles);
      const bool spikes = n.above(rest) >= 0 || (n.turns && goes_on(n, rest));
      if (!(n.spikes && spikes)) continue;
    }
    throw InvalidInput(fmt::format(
        "t_end[{}] is infinite, but {}[{}] ({}) does not come to rest below its threshold; give a "
        "finite end",
        sample, p.name, j, p.model->name));
  }
}

}  // namespace

template <class Real>
void check(const Plan<Real>& plan, const Inputs& inputs) {
  const auto numbers = plan.network->inputs();
  const auto& populations = plan.network->populations();
  if (inputs.spikes.size() != numbers.size()) {
    throw InvalidInput(fmt::format("spikes for {} inputs given; the network has {}",
                                   inputs.spikes.size(), numbers.size()));
  }
  const std::size_t samples = inputs.samples();
  for (std::size_t k = 0; k < numbers.size(); ++k) {
    const Population& p = populations[numbers[k]];
    validate(inputs.spikes[k], p.size, p.name);
    if (inputs.spikes[k].samples() != samples) {
      throw InvalidInput(fmt::format("input '{}' has {} samples; the others have {}", p.name,
                                     inputs.spikes[k].samples(), samples));
    }
  }
  if (inputs.t_end.size() != 1 && inputs.t_end.size() != samples) {
    throw InvalidInput(
        fmt::format("t_end has {} values; expected one number or {} (one per sample)",
                    inputs.t_end.size(), samples));
  }
  for (std::size_t s = 0; s < inputs.t_end.size(); ++s) {
    const double end = inputs.t_end[s];
    if (!(end >= 0)) {
      throw InvalidInput(
          fmt::format("t_end[{}] is {}; expected a time of at least 0, in seconds", s, end));
    }
    if (!std::isinf(end)) continue;
    if (plan.cyclic) {
      throw InvalidInput(
          fmt::format("t_end[{}] is infinite, but the network has a cycle: it may spike for ever; "
                      "give a finite "
                      "end",
                      s));
    }
    for (std::size_t p = 0; p < populations.size(); ++p) {
      if (populations[p].model == Model::lif) check_ends(populations[p], s);
      if (plan.populations[p].is_linear()) check_ends(populations[p], plan.populations[p], s);
    }
  }
}

template struct Plan<float>;
template struct Plan<double>;
template void check(const Plan<float>&, const Inputs&);
template void check(const Plan<double>&, const Inputs&);

}  // namespace saltus
