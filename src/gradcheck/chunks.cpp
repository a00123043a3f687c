// SPDX-License-Identifier: Apache-2.0
// A run cut into chunks, each of which goes on from the state at the end of the one before, must give the
// spikes and the gradient of the whole (docs/theory.md, section 15).
#include <algorithm>
#include <cmath>
#include <memory>

#include "gradcheck/gradcheck.hpp"
#include "gradcheck/tensors.hpp"
#include "random/random.hpp"
#include "saltus/state.hpp"
#include "spikes/own_spikes.hpp"

namespace saltus::gradcheck {
namespace {

struct Chunk {
  double from = 0;
  std::vector<Spikes> spikes;                    // per input
  std::vector<std::vector<std::size_t>> origin;  // of each of them, among those of the case
  std::vector<double> t_end;
  Inputs inputs;
  Record<double> record;
  Errors<double> errors{0};
};

// From `from` to `to`, which may be infinite: to the end.
void take_inputs(const Case& c, double from, double to, Chunk& chunk) {
  chunk.from = from;
  for (const Spikes& all : c.inputs) {
    Spikes part;
    chunk.origin.emplace_back();
    for (std::size_t s = 0; s < c.t_end.size(); ++s) {
      for (auto k = static_cast<std::size_t>(all.offsets[s]);
           k < static_cast<std::size_t>(all.offsets[s + 1]); ++k) {
        if (all.times[k] < from || all.times[k] >= to) continue;
        part.times.push_back(all.times[k] - from);
        part.neurons.push_back(all.neurons[k]);
        chunk.origin.back().push_back(k);
      }
      part.offsets.push_back(static_cast<std::int64_t>(part.times.size()));
    }
    chunk.spikes.push_back(std::move(part));
  }
  for (const double end : c.t_end) chunk.t_end.push_back(std::min(end, to) - from);
  chunk.inputs.t_end = chunk.t_end;
  for (const Spikes& s : chunk.spikes) chunk.inputs.spikes.push_back(s.view());
}

// The errors of each spike go to the chunk that has it. @returns  false if other spikes are there
bool hand_out_spikes(const Case& c, const Record<double>& whole, const Errors<double>& errors,
                     std::size_t p, std::vector<std::unique_ptr<Chunk>>& chunks,
                     const std::string& label, Report& report) {
  const Population& population = c.network.populations()[p];
  const auto& given = errors.populations[p].spikes;
  for (auto& chunk : chunks) {
    const std::size_t count = chunk->record.populations[p].spikes.times.size();
    chunk->errors.populations[p].spikes.assign(given.empty() ? 0 : count, 0);
  }
  const Spikes& all = whole.populations[p].spikes;
  for (std::size_t s = 0; s < c.t_end.size(); ++s) {
    OwnSpikes own;  // of the whole
    own.sort(sample_of(all.view(), s), population.size);
    const auto first = static_cast<std::size_t>(all.offsets[s]);
    std::vector<std::size_t> met(population.size, 0);
    for (auto& chunk : chunks) {
      const Spikes& part = chunk->record.populations[p].spikes;
      for (auto k = static_cast<std::size_t>(part.offsets[s]);
           k < static_cast<std::size_t>(part.offsets[s + 1]); ++k) {
        const auto j = static_cast<std::size_t>(part.neurons[k]);
        if (met[j] == own.of(j).size()) {
          report.relation_times.meet(infinity, label + " one more of " + population.name);
          return false;
        }
        const std::size_t there = first + own.of(j)[met[j]++];
        const double moved = part.times[k] + chunk->from - all.times[there];
        report.relation_times.meet(std::fabs(moved) / population["tau_mem"][j],
                                   label + " " + population.name);
        if (!given.empty()) chunk->errors.populations[p].spikes[k] = given[there];
      }
    }
    for (std::size_t j = 0; j < population.size; ++j) {
      if (met[j] == own.of(j).size()) continue;
      report.relation_times.meet(infinity, label + " one less of " + population.name);
      return false;
    }
  }
  return true;
}

// So do those of the samples and, of readouts, of the maxima; all have those of integrals.
void hand_out_voltages(const Case& c, const Errors<double>& errors, std::size_t p,
                       std::vector<std::unique_ptr<Chunk>>& chunks) {
  const std::size_t size = c.network.populations()[p].size, samples = c.t_end.size();
  const PopulationErrors<double>& given = errors.populations[p];
  for (std::size_t k = 0; k < chunks.size(); ++k) {
    Chunk& chunk = *chunks[k];
    const bool last = k + 1 == chunks.size();
    PopulationErrors<double>& to = chunk.errors.populations[p];
    to.integrals = given.integrals;
    std::vector<std::size_t> here;
    for (std::size_t t = 0; t < given.sample_times.size(); ++t) {
      const double time = given.sample_times[t];
      const bool later = time > chunk.from || (k == 0 && time >= 0);
      if (!later || (!last && time > chunks[k + 1]->from)) continue;
      here.push_back(t);
      to.sample_times.push_back(time - chunk.from);
    }
    for (std::size_t s = 0; s < samples; ++s) {
      for (const std::size_t t : here) {
        const auto row = given.samples.begin() +
                         static_cast<std::ptrdiff_t>((s * given.sample_times.size() + t) * size);
        to.samples.insert(to.samples.end(), row, row + static_cast<std::ptrdiff_t>(size));
      }
    }
    if (given.maxima.empty()) continue;
    chunk.errors.maxima[p] = maxima(c.network, chunk.inputs, chunk.record, p);
    to.maxima = given.maxima;
    for (std::size_t at = 0; at < to.maxima.size(); ++at) {
      const double time = errors.maxima[p].times[at];
      const bool here_or_later = time >= chunk.from,
                 before_next = last || time < chunks[k + 1]->from;
      if (!here_or_later || !before_next) to.maxima[at] = 0;
    }
  }
}

// Is it the same maximum in the chunk that has it? On a flat V another is as good.
bool same_maxima(const Case& c, const Errors<double>& errors, const Chunk& chunk) {
  for (std::size_t p = 0; p < errors.maxima.size(); ++p) {
    const auto& given = chunk.errors.populations[p].maxima;
    for (std::size_t at = 0; at < given.size(); ++at) {
      if (given[at] == 0) continue;
      const Population& population = c.network.populations()[p];
      const double whole = errors.maxima[p].times[at],
                   here = chunk.errors.maxima[p].times[at] + chunk.from;
      if (whole != here &&
          !(std::fabs(whole - here) < 1e-6 * population["tau_mem"][at % population.size]))
        return false;
    }
  }
  return true;
}

void add(std::vector<double>& sum, const std::vector<double>& more) {
  for (std::size_t k = 0; k < sum.size(); ++k) sum[k] += more[k];
}

// When a neuron spikes or is released, or a digit or two beside: what rounding leaves to either chunk.
double time_of_event(const Case& c, const Record<double>& record, Random& random) {
  const auto& populations = c.network.populations();
  const std::size_t p = random.below(static_cast<std::uint32_t>(populations.size()));
  const Spikes& spikes = record.populations[p].spikes;
  if (!populations[p].fires() || spikes.times.empty()) return 0;
  const std::size_t k = random.below(static_cast<std::uint32_t>(spikes.times.size()));
  double time = spikes.times[k];
  if (random.chance(0.5)) {
    time += populations[p]["tau_ref"][static_cast<std::size_t>(spikes.neurons[k])];
  }
  const double towards = random.chance(0.5) ? 0 : infinity;
  for (std::uint32_t n = random.below(3); n > 0; --n) time = std::nextafter(time, towards);
  return time;
}

// The parts of the whole, from the end.
Gradients<double> sum_of(const Case& c, std::vector<std::unique_ptr<Chunk>>& chunks,
                         const Gradients<double>& shape, const Options& options) {
  Gradients<double> sum = shape;
  for (auto& values : sum.weights) std::ranges::fill(values, 0.0);
  for (auto& values : sum.delays) std::ranges::fill(values, 0.0);
  for (auto& values : sum.times) std::ranges::fill(values, 0.0);
  for (auto& n : sum.neurons) {
    for (auto& values : n.parameters) std::ranges::fill(values, 0.0);
  }
  for (auto k = chunks.size(); k-- > 0;) {
    Chunk& chunk = *chunks[k];
    const auto g = backward(c.network, chunk.inputs, chunk.record, chunk.errors, {}, options);
    for (std::size_t q = 0; q < sum.weights.size(); ++q) {
      add(sum.weights[q], g.weights[q]);
      add(sum.delays[q], g.delays[q]);
    }
    for (std::size_t p = 0; p < sum.neurons.size(); ++p) {
      for (std::size_t q = 0; q < sum.neurons[p].parameters.size(); ++q) {
        add(sum.neurons[p].parameters[q], g.neurons[p].parameters[q]);
      }
    }
    const auto inputs = c.network.inputs();
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      for (std::size_t n = 0; n < chunk.origin[i].size(); ++n) {
        sum.times[inputs[i]][chunk.origin[i][n]] = g.times[inputs[i]][n];
      }
    }
    for (std::size_t p = 0; k > 0 && p < sum.neurons.size(); ++p) {
      chunks[k - 1]->errors.populations[p].at_end = g.state.populations[p];
    }
  }
  return sum;
}

}  // namespace

void check_chunks(const Case& c, const Evaluation& base, std::uint64_t seed,
                  const std::string& label, Report& report) {
  Random random(seed, Purpose::gradcheck, 2);
  const auto& populations = c.network.populations();
  Errors<double> errors = base.errors;
  for (std::size_t p = 0; p < populations.size(); ++p) {  // not known of chunks
    if (populations[p].fires()) errors.populations[p].maxima.clear();
  }
  const Gradients<double> whole = backward(c.network, c.view(), base.record, errors);

  double end = *std::ranges::min_element(c.t_end);
  if (std::isinf(end)) {
    end = fastest(c.network);
    for (const Spikes& s : c.inputs) {
      for (const double t : s.times) end = std::max(end, 1.2 * t);
    }
  }
  std::vector<double> cuts(1 + random.below(3));
  for (double& cut : cuts) {
    cut = random.uniform(0, end);
    const double event = random.chance(0.5) ? time_of_event(c, base.record, random) : 0;
    if (!(event > 0 && event < end)) continue;
    cut = event;
    ++report.cuts_at_events;
  }
  std::ranges::sort(cuts);
  cuts.insert(cuts.begin(), 0);
  cuts.push_back(infinity);

  for (const Options& options :
       {Options{}, Options{1, Kernel::scalar, {}}, Options{1, Kernel::vector, Way::event_loop}}) {
    std::vector<std::unique_ptr<Chunk>> chunks;
    for (std::size_t k = 0; k + 1 < cuts.size(); ++k) {
      auto chunk = std::make_unique<Chunk>();
      take_inputs(c, cuts[k], cuts[k + 1], *chunk);
      if (k > 0) {
        const Chunk& before = *chunks.back();
        chunk->inputs.state =
            std::make_shared<State>(final_state(c.network, before.inputs, before.record, options));
        for (const auto& neurons : chunk->inputs.state->populations) {
          report.on_their_way += neurons.past.times.size();
        }
      }
      chunk->record = simulate(c.network, chunk->inputs, options);
      chunk->errors = Errors<double>(populations.size());
      chunks.push_back(std::move(chunk));
    }
    ++report.relations;
    const std::string name = label + ", in chunks";
    bool same = true;
    for (std::size_t p = 0; same && p < populations.size(); ++p) {
      if (populations[p].model == Model::input) continue;
      if (populations[p].fires()) {
        same = hand_out_spikes(c, base.record, errors, p, chunks, name, report);
      }
      hand_out_voltages(c, errors, p, chunks);
    }
    if (!same) return;
    if (!std::ranges::all_of(chunks, [&](const auto& k) { return same_maxima(c, errors, *k); })) {
      ++report.relations_void;
      continue;
    }
    std::string where;
    const double error = largest_difference(c.network, sum_of(c, chunks, whole, options), whole,
                                            relation_bar, base.magnitude, &where, rounding(c));
    report.relation_gradients.meet(error, name + " " + where);
  }
}

}  // namespace saltus::gradcheck
