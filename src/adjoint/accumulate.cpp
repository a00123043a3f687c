// SPDX-License-Identifier: Apache-2.0
// At every arrival of spike k of neuron n at neuron j, with lambda on its right:
//
//     dL/dw_nj -= tau_syn lambda_I
//     dL/dd_nj += w_nj (lambda_V - lambda_I)       E_k += the same
//
// and where that arrival is a maximum of V_j:  dL/dd_nj += g dV/dt^-,  E_k += the same  (section
// 7).
#include <algorithm>

#include "adjoint/accumulate.hpp"
#include "adjoint/lambda.hpp"
#include "adjoint/reader.hpp"
#include "machine/aligned.hpp"
#include "machine/parallel.hpp"
#include "plan/timeline.hpp"

namespace saltus {
namespace {

// What one tile adds to arrays that it shares with other tiles.
struct Partial {
  std::vector<std::vector<double>> delays;  // per incoming projection; empty if not shared
  std::vector<std::vector<double>> errors;  // per incoming projection: of the source's spikes
  // Per incoming projection, where not all connect to all: of the tile's synapses. Weights may be
  // shared among tiles.
  std::vector<std::vector<double>> synapses;
};

// Ghosts of neuron j at arrivals move with them.
template <class Real>
void read_ghosts(const SampleGhosts<Real>& ghosts, const neuron::Lif<Real>& n,
                 const Arrivals<Real>& arrivals, std::size_t j, Reader<Real>& reader) {
  for (std::size_t k = ghosts.first[j]; k < ghosts.first[j + 1]; ++k) {
    const Ghost<Real>& g = (*ghosts.list)[k];
    if (g.place != Place::arrival || ghosts.errors[k] == 0 || !terms::ghost_kink) continue;
    reader.read_kink(arrivals, j, g.time, ghosts.errors[k] * slope_before(n, g));
  }
}

template <class Real>
bool errors_wanted(const Pass<Real>& pass, std::size_t source, std::size_t target) {
  const auto& populations = pass.plan.network->populations();
  if (populations[source].model == Model::input) return pass.wanted.input_times;
  // Inside a cycle the dynamics have used them already.
  return pass.plan.component_of[source] != pass.plan.component_of[target];
}

}  // namespace

template <class Real>
void prepare_tiles(Pass<Real>& pass, std::size_t population, std::size_t sample) {
  const PopulationPlan<Real>& plan = pass.plan.populations[population];
  if (plan.is_linear()) {
    LinearSegments& segments = pass.linear[sample][population];
    const bool in_vectors = pass.plan.linear_in_vectors(population);
    if (in_vectors) {
      thread_local Timeline<Real> timeline;
      pass.start(timeline, population, sample);
      pass.linear_entries[sample][population].find(plan, segments, timeline.shared());
    }
    if (!in_vectors || pass.wanted.neurons || pass.ghosts) segments.finish();
    return;
  }
  Segments<Real>& segments = pass.segments[sample][population];
  const bool in_vectors = pass.plan.in_vectors(population);
  if (plan.in_step()) {
    thread_local Timeline<Real> timeline;
    thread_local EntryFinder<Real> finder;
    pass.start(timeline, population, sample);
    Arrivals<Real>& arrivals = timeline.shared();
    Entries<Real>& entries = pass.entries[sample][population];
    if (in_vectors && pass.ghosts && terms::ghost_free_synapses) {
      segments.finish();
      if (4 * segments.count() > arrivals.group_count()) arrivals.index();
      finder.find(plan, segments, arrivals, (*pass.ghosts)[sample][population].free, entries);
    } else if (in_vectors) {
      finder.find(plan, segments, arrivals, entries);
    }
  }
  // Who asks for the segments of one neuron? Parameters, ghosts, and all that goes one by one.
  if (!in_vectors || pass.wanted.neurons || pass.ghosts) segments.finish();
}

namespace {

// How the tiles of a population find the spikes of sources that do not connect to all.
struct Spread {
  // [sample][incoming projection] those that go through their synapses instead of all spikes; empty: do not
  std::vector<std::vector<SpikesByNeuron>> by_neuron;
  // [incoming projection] a tile looks up the synapses of each source once for all samples
  std::vector<bool> reach;
};

// A spike that reaches hardly any tile is not looked at by all of them.
template <class Real>
Spread spread_of(const Pass<Real>& pass, std::size_t population, const Tiles& tiles) {
  const auto& incoming = pass.plan.populations[population].incoming;
  const std::size_t samples = pass.segments.size();
  Spread spread{std::vector<std::vector<SpikesByNeuron>>(samples),
                std::vector<bool>(incoming.size(), false)};
  std::vector<std::size_t> left(incoming.size(), 0);  // spikes that each tile looks at
  for (std::size_t s = 0; s < samples; ++s) {
    spread.by_neuron[s].resize(incoming.size());
    for (std::size_t k = 0; k < incoming.size(); ++k) {
      if (pass.plan.in_rows(incoming[k])) continue;
      const Projection<Real>& p = pass.plan.network->projections()[incoming[k]];
      const auto spikes = sample_of(pass.spikes_of(p.source), s);
      const std::size_t sources = pass.plan.size(p.source),
                        synapses = p.connection.synapses().size();
      if (synapses < std::min(sources, spikes.times.size()) * tiles.count) {
        spread.by_neuron[s][k].sort(spikes, sources);
      } else {
        left[k] += spikes.times.size();
        spread.reach[k] = left[k] >= sources;
      }
    }
  }
  return spread;
}

// Neurons begin .. end - 1 of a population: one task, which goes through the samples in order.
template <class Real>
class Tile {
 public:
  Tile(Pass<Real>& pass, std::size_t population, const std::vector<SpikeView>& sources,
       const Spread& spread, const Tiles& tiles, std::size_t number, Partial& partial)
      : pass_(pass),
        population_(population),
        number_(number),
        plan_(pass.plan.populations[population]),
        in_vectors_(pass.plan.in_vectors(population)),
        in_lanes_(!pass.plan.scalar && plan_.per_column && !plan_.is_linear()),
        linear_in_vectors_(pass.plan.linear_in_vectors(population)),
        sources_(sources),
        spread_(spread),
        begin_(tiles.begin(number)),
        end_(tiles.begin(number + 1)),
        partial_(partial) {
    partial.delays.resize(plan_.incoming.size());
    partial.errors.resize(plan_.incoming.size());
    partial.synapses.resize(plan_.incoming.size());
    reader_.post = pass.plan.size(population);
    reader_.first = begin_;
    reader_.layout = SlotLayout(end_ - begin_);
    if (in_vectors_ && !plan_.same_time_constants) {
      own_.start(plan_.neurons, begin_, end_ - begin_);
    }
    for (std::size_t b = 0; in_lanes_ && begin_ + b * lanes < end_; ++b) {
      if (lane_constants_.size() <= b) lane_constants_.emplace_back();
      const Neurons neurons = block(b);
      lane_constants_[b].start(plan_.neurons, neurons.begin, neurons.end - neurons.begin);
    }
    std::size_t rows = 0;
    for (const std::size_t k : plan_.incoming) rows += rows_of(k);
    gradient_.reserve(rows * reader_.layout.count());
    far_ = rows * reader_.layout.count() * sizeof(Real) > second_level_cache;
    std::fill_n(gradient_.data(), rows * reader_.layout.count(), Real(0));
    reader_.targets.resize(pass.plan.network->projections().size());
    rows = 0;
    reach_.resize(plan_.incoming.size());
    for (std::size_t k = 0; k < plan_.incoming.size(); ++k) {
      if (spread.reach[k]) {
        reach_[k] = Reach(projection(plan_.incoming[k]).connection.synapses(), {begin_, end_});
      }
      aim(k, gradient_.data() + rows * reader_.layout.count());
      rows += rows_of(plan_.incoming[k]);
    }
  }

  void read(std::size_t s) {
    thread_local Timeline<Real> timeline;
    pass_.start(timeline, population_, s, {begin_, end_}, reach_, spread_.by_neuron[s]);
    for (std::size_t k = 0; k < plan_.incoming.size(); ++k) {
      if (partial_.errors[k].empty()) continue;
      reader_.targets[plan_.incoming[k]].errors =
          partial_.errors[k].data() + sources_[k].offsets[s];
    }
    if (plan_.is_linear() && reader_.times_wanted()) {
      reader_.read(pass_.linear[s][population_].moved, end_);
    }
    if (linear_in_vectors_) {
      LinearLambdaKernels<Real>::best().read_arrivals(plan_, pass_.linear_entries[s][population_],
                                                      number_, timeline.shared(), begin_,
                                                      end_ - begin_, reader_.targets);
      return;
    }
    if (in_vectors_) {
      LambdaKernels<Real>::best().read_arrivals(
          plan_.neuron(0).tc, plan_.same_time_constants ? nullptr : &own_,
          pass_.entries[s][population_].of(number_), timeline.shared(), begin_, end_ - begin_,
          reader_.targets, far_);
    } else if (in_lanes_) {
      for (std::size_t b = 0; begin_ + b * lanes < end_; ++b) read_lanes(s, b, timeline);
    }
    if (!alone_) {  // What is left moves with arrivals.
      const bool peaks = pass_.ghosts || !pass_.errors.populations[population_].maxima.empty();
      if (!reader_.times_wanted() || !peaks) return;
    }
    if (plan_.is_linear()) {
      const LinearSegments& all = pass_.linear[s][population_];
      for (std::size_t j = all.next(begin_); j < end_; j = all.next(j + 1)) {
        reader_.read(plan_.linear_neuron(j), all.of(j), timeline.of(j), j);
      }
      return;
    }
    for (std::size_t j = begin_; j < end_; ++j) read(s, j, timeline);
  }

  // Calls visit with a span of each piece of what adds up over samples.
  template <class Visit>
  void for_each_sum(Visit&& visit) {
    std::size_t rows = 0;
    for (const std::size_t k : plan_.incoming) rows += rows_of(k);
    visit(std::span(gradient_.data(), rows * reader_.layout.count()));
    for (std::size_t k = 0; k < plan_.incoming.size(); ++k) {
      visit(std::span(partial_.synapses[k]));
      visit(std::span(partial_.delays[k]));
      visit_own_delays(plan_.incoming[k], visit);
    }
  }

  // The gradients of its columns, of projections in rows.
  void write() {
    for (std::size_t k = 0; k < plan_.incoming.size(); ++k) {
      const std::size_t number = plan_.incoming[k];
      if (!pass_.plan.in_rows(number)) continue;
      const Projection<Real>& p = projection(number);
      const Target<Real>& target = reader_.targets[number];
      if (!p.connection.all_to_all()) {  // of those that are synapses
        for (std::size_t at = 0; at < partial_.synapses[k].size(); ++at) {
          const Synapse& s = p.connection.synapses()[target.first_synapse + at];
          partial_.synapses[k][at] = static_cast<double>(
              target.weights[static_cast<std::size_t>(s.pre) * reader_.layout.count() +
                             reader_.layout.slot_of(static_cast<std::size_t>(s.post) - begin_)]);
        }
        continue;
      }
      const Real* from = target.weights;
      auto& all = pass_.gradients.weights[number];
      for (std::size_t row = begin_; row < all.size(); row += reader_.post) {
        reader_.layout.unpack(from, all.data() + row);
        from += reader_.layout.count();
      }
    }
  }

 private:
  Pass<Real>& pass_;
  std::size_t population_, number_;
  const PopulationPlan<Real>& plan_;
  bool in_vectors_, in_lanes_, linear_in_vectors_;
  bool alone_ = !in_vectors_ && !in_lanes_;  // one neuron after the other
  const std::vector<SpikeView>& sources_;    // per incoming projection
  const Spread& spread_;
  std::size_t begin_, end_;
  Partial& partial_;
  Reader<Real> reader_;
  std::vector<Reach> reach_;  // per incoming projection
  // Of the weights into the tile, [pre, slot] of one projection after the other: in one piece, so that
  // it stays in a cache whatever the length of the rows of the whole.
  inline static thread_local Aligned<Real> gradient_;
  static constexpr std::size_t second_level_cache = std::size_t{1} << 20;  // bytes, or so
  bool far_ = false;                                                       // it does not fit there
  inline static thread_local neuron::LaneConstants<Real> own_;  // if they do not decay alike
  static constexpr std::size_t lanes = LaneLists<Real>::lanes;
  inline static thread_local std::vector<neuron::LaneConstants<Real>> lane_constants_;  // per block

  // So many of the tile stand side by side where each has arrivals of its own.
  Neurons block(std::size_t b) const {
    return {begin_ + b * lanes, std::min(begin_ + (b + 1) * lanes, end_)};
  }
  const Projection<Real>& projection(std::size_t k) const {
    return pass_.plan.network->projections()[k];
  }
  std::size_t rows_of(std::size_t number) const {
    return pass_.plan.in_rows(number) ? pass_.plan.size(projection(number).source) : 0;
  }
  // Where incoming projection k wants its gradients.
  void aim(std::size_t k, Real* weights) {
    const std::size_t number = plan_.incoming[k];
    const Projection<Real>& p = projection(number);
    Target<Real>& target = reader_.targets[number];
    target = {&p, weights};
    if (!p.connection.all_to_all()) {
      const SynapseList& synapses = p.connection.synapses();
      target.first_synapse = synapses.first_into(begin_);
      partial_.synapses[k].assign(synapses.first_into(end_) - target.first_synapse, 0);
      target.synapses = partial_.synapses[k].data();
    }
    if (pass_.wanted.delays && p.delay.kind != Delay::Kind::none) {
      if (p.delay.kind == Delay::Kind::per_synapse) {
        target.delays = pass_.gradients.delays[number].data();
      } else {
        partial_.delays[k].assign(p.delay.values.size(), 0);
        target.delays = partial_.delays[k].data();
      }
    }
    if (errors_wanted(pass_, p.source, population_)) {
      partial_.errors[k].assign(sources_[k].times.size(), 0);
    }
  }
  // Of delays of each synapse, which no other tile touches.
  template <class Visit>
  void visit_own_delays(std::size_t number, Visit&& visit) {
    const Projection<Real>& p = projection(number);
    auto& delays = pass_.gradients.delays[number];
    if (delays.empty() || p.delay.kind != Delay::Kind::per_synapse) return;
    if (p.connection.all_to_all()) {
      for (std::size_t row = begin_; row < delays.size(); row += reader_.post) {
        visit(std::span(delays).subspan(row, end_ - begin_));
      }
      return;
    }
    const SynapseList& synapses = p.connection.synapses();
    for (std::size_t at = synapses.first_into(begin_); at < synapses.first_into(end_); ++at) {
      visit(std::span(delays).subspan(static_cast<std::size_t>(synapses[at].number), 1));
    }
  }
  void read_lanes(std::size_t s, std::size_t b, Timeline<Real>& timeline) {
    thread_local EntryFinder<Real> finder;
    thread_local Entries<Real> found;
    thread_local LaneReadings<Real> readings;
    const Segments<Real>& segments = pass_.segments[s][population_];
    const Neurons neurons = block(b);
    const bool ghosts = pass_.ghosts && terms::ghost_free_synapses;
    if (!ghosts && segments.next(neurons.begin) >= neurons.end) return;
    const LaneLists<Real>& lists = timeline.lists(neurons);
    finder.find(
        plan_, segments, lists, neurons,
        [&](std::size_t j) {
          return ghosts ? (*pass_.ghosts)[s][population_].free_of(j)
                        : std::span<const FreePiece<Real>>();
        },
        found);
    const auto entries = found.of(0);
    if (entries.empty()) return;
    const std::size_t places = entries.front().group + std::size_t{1};
    readings.start(lists, places);
    LambdaKernels<Real>::best().read_lanes(lane_constants_[b], entries, readings);
    reader_.book(lists, readings, places);
  }
  // Of neuron j what the vectors have left.
  void read(std::size_t s, std::size_t j, Timeline<Real>& timeline) {
    const auto& n = plan_.neuron(j);
    if (alone_) {
      const auto own = pass_.segments[s][population_].of(j);
      if (!own.empty()) reader_.read(n, own, timeline.of(j), j);
    }
    if (pass_.ghosts && (*pass_.ghosts)[s][population_].any(j)) {
      const SampleGhosts<Real>& ghosts = (*pass_.ghosts)[s][population_];
      if (alone_ && terms::ghost_free_synapses) {  // else part of the entries
        for (const FreePiece<Real>& piece : ghosts.free_of(j)) {
          reader_.read(n, piece.segments(), timeline.of(j), j);
        }
      }
      read_ghosts(ghosts, n, timeline.of(j), j, reader_);
    }
    const std::vector<Real>& errors = pass_.errors.populations[population_].maxima;
    const Maxima<Real>& maxima = pass_.errors.maxima[population_];
    const std::size_t at = s * reader_.post + j;
    if (terms::kink_time && !errors.empty() && errors[at] != 0 &&
        maxima.places[at] == Place::arrival) {
      reader_.read_kink(timeline.of(j), j, maxima.times[at],
                        static_cast<double>(errors[at]) * slope_before(n, maxima, at));
    }
  }
};

// Adds up what tiles share, in the order of the tiles.
template <class Real>
void add_up(Pass<Real>& pass, std::size_t number, std::size_t k,
            const std::vector<Partial>& partials) {
  const Projection<Real>& p = pass.plan.network->projections()[number];
  auto& delays = pass.gradients.delays[number];
  auto& source = pass.spike_errors[p.source];
  std::vector<double> weights(p.connection.all_to_all() ? 0 : p.weight.size());
  std::size_t place = 0;
  for (const Partial& partial : partials) {
    for (std::size_t i = 0; i < partial.delays[k].size(); ++i) delays[i] += partial.delays[k][i];
    for (std::size_t i = 0; i < partial.errors[k].size(); ++i) source[i] += partial.errors[k][i];
    for (const double error : partial.synapses[k]) {
      double& sum = weights[static_cast<std::size_t>(p.connection.synapses()[place++].weight)];
      sum = terms::shared_weight ? sum + error : error;
    }
  }
  if (p.connection.all_to_all()) return;
  pass.gradients.weights[number].assign(weights.begin(), weights.end());
}

}  // namespace

template <class Real>
void accumulate_synapses(Pass<Real>& pass, std::size_t population) {
  const std::vector<std::size_t>& incoming = pass.plan.populations[population].incoming;
  const Tiles tiles(pass.plan.size(population));
  std::vector<Partial> partials(tiles.count);
  std::vector<SpikeView> sources;
  for (const std::size_t k : incoming) {
    sources.push_back(pass.spikes_of(pass.plan.network->projections()[k].source));
  }
  const Spread spread = spread_of(pass, population, tiles);
  const int first = pass.number(tiles.count);
  parallel_for(pass.threads, tiles.count, [&](std::size_t number) {
    Tile<Real> tile(pass, population, sources, spread, tiles, number, partials[number]);
    const auto sums = [&](auto visit) { tile.for_each_sum(visit); };
    const int message = first + static_cast<int>(number);
    if (pass.team) take_over(*pass.team, message, sums);
    for (std::size_t s = 0; s < pass.segments.size(); ++s) {
      tile.read(s);
      if (pass.team) pass.team->go_on();
    }
    if (pass.team) hand_on(*pass.team, message, sums);
    tile.write();
  });
  for (std::size_t k = 0; k < incoming.size(); ++k) add_up(pass, incoming[k], k, partials);
}

template void prepare_tiles(Pass<float>&, std::size_t, std::size_t);
template void prepare_tiles(Pass<double>&, std::size_t, std::size_t);
template void accumulate_synapses(Pass<float>&, std::size_t);
template void accumulate_synapses(Pass<double>&, std::size_t);

}  // namespace saltus
