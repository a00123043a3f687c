// SPDX-License-Identifier: Apache-2.0
#include "oracle.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <stdexcept>
#include <utility>

#include "matrix_course.hpp"

namespace saltus_oracle {
namespace {

using std::size_t;
constexpr Scalar infinity = std::numeric_limits<Scalar>::infinity();

void require(bool condition, const char* message) {
  if (!condition) throw std::invalid_argument(message);
}

// ------------------------------------------------------------------------------------------------------------------
// One neuron between two events (docs/theory.md section 1). Rates a = 1/tau_mem and c = 1/tau_syn.
// With the response to a unit of current K(t) = a W(t), W(t) = int_0^t exp(-c u) exp(-a (t - u)) du
// = (exp(-c t) - exp(-a t)) / (a - c),
//     V(t) = b + (V0 - b) exp(-a t) + I0 K(t).
// W is symmetric in a and c, so the slower rate can be put in front; nothing cancels at a = c, and
// nothing overflows.

Scalar response(Scalar a, Scalar c, Scalar t) {
  const Scalar q = std::fabs(a - c) * t;
  return a * t * std::exp(-std::min(a, c) * t) * (q == 0 ? 1 : -std::expm1(-q) / q);
}

// dW/da and dW/dc: W = t exp(-slow t) int_0^1 exp(-q x) dx, and a derivative for the faster
// (slower) rate brings down a factor -t x (-t (1 - x)). The two moments have positive integrands;
// below q = 1 their closed forms cancel, so series.
std::pair<Scalar, Scalar> response_partials(Scalar a, Scalar c, Scalar t) {
  const Scalar q = std::fabs(a - c) * t;
  Scalar fast = 0, slow = 0;
  if (std::fabs(q) < 1) {
    Scalar term = 1;  // (-q)^k / k!
    for (int k = 0; k < 24; term *= -q / Scalar(++k)) {
      fast += term / Scalar(k + 2);
      slow += term / Scalar((k + 1) * (k + 2));
    }
  } else {
    fast = (1 - (1 + q) * std::exp(-q)) / (q * q);
    slow = (q + std::expm1(-q)) / (q * q);
  }
  const Scalar factor = -t * t * std::exp(-std::min(a, c) * t);
  return a > c ? std::pair{factor * fast, factor * slow} : std::pair{factor * slow, factor * fast};
}

struct Course {  // the voltage from one instant on, as long as nothing arrives
  Scalar v0, i0, b, a, c;
  Scalar voltage(Scalar t) const {
    return std::isinf(t) ? b : b + (v0 - b) * std::exp(-a * t) + i0 * response(a, c, t);
  }
  Scalar slope(Scalar t, Scalar v) const {
    return a * (b + i0 * std::exp(-c * t) - v);
  }  // v = voltage(t)

  // V'(t) exp(a t) / a = (b - V0 + I0) - c I0 E(t) with E(t) = (exp((a - c) t) - 1) / (a - c),
  // which grows from 0: V has at most one extremum, where E = (b - V0 + I0) / (c I0). Infinity if
  // there is none at a t > 0.
  Scalar extremum() const {
    if (i0 == 0) return infinity;
    const Scalar e = (b - v0 + i0) / (c * i0), z = (a - c) * e;
    if (!(e > 0) || z <= -1) return infinity;
    return z == 0 ? e : std::log1p(z) / (a - c);
  }

  // The first t in (0, limit] at which V reaches theta from below. The extremum cuts the course
  // into at most two monotone pieces; the first whose end is above theta holds the crossing, and
  // exactly one.
  Scalar crossing(Scalar theta, Scalar limit) const {
    if (v0 >= theta) return 0;
    Scalar low = 0;
    const Scalar turn = extremum();
    if (turn < limit) {
      if (voltage(turn) > theta) return bisect(theta, low, turn);
      low = turn;
    }
    // An infinite limit comes with b <= theta: the last piece tends to b and cannot cross.
    if (std::isinf(limit) || voltage(limit) < theta) return infinity;
    return bisect(theta, low, limit);
  }

  Scalar bisect(Scalar theta, Scalar low, Scalar high) const {
    Scalar t = (low + high) / 2;
    for (int step = 0; step < 300; ++step) {
      const Scalar v = voltage(t);
      (v < theta ? low : high) = t;
      // Newton's point if it stays inside the bracket, otherwise the middle.
      Scalar next = t - (v - theta) / slope(t, v);
      if (step < 6 || !(next > low && next < high)) next = (low + high) / 2;
      if (std::fabs(next - t) <= std::numeric_limits<Scalar>::epsilon() * t) return next;
      t = next;
    }
    return t;
  }
};

// The distance y = V - theta_0 - lift exp(-g t) of such a course from a threshold that adapts, lift
// = beta a at its start and g = 1/tau_adapt. It may cross 0 while V falls. The zeros of a function
// lie between those of its derivative, also after a factor exp(rate t), and
//     (d/dt + a) y' = g (a - g) lift exp(-g t) - a c I0 exp(-c t)
// has at most one zero, found by hand: y' has at most two, and y at most three monotone pieces.
// None of the forms divides by a difference of rates, so that equal ones need no care.
struct AdaptiveCourse {
  Course course;
  Scalar theta, lift, g;

  Scalar distance(Scalar t) const { return course.voltage(t) - theta - lift * std::exp(-g * t); }
  Scalar speed(Scalar t) const {
    return course.slope(t, course.voltage(t)) + g * lift * std::exp(-g * t);
  }

  // Where (d/dt + a) y' changes its sign; infinity if nowhere at a t > 0.
  Scalar bend() const {
    const Scalar ratio = g * lift * (course.a - g) / (course.a * course.c * course.i0);
    if (!(ratio > 0) || std::isinf(ratio) || g == course.c) return infinity;
    const Scalar t = std::log(ratio) / (g - course.c);
    return t > 0 ? t : infinity;
  }

  // After this time no term can lift y over 0, if its limit b - theta is below 0: K(t) <= a t
  // exp(-m t) with m the slower of a and c, which falls from 1/m on.
  Scalar horizon() const {
    const Scalar slower = std::min(course.a, course.c);
    const auto bound = [&](Scalar t) {
      return std::fabs(course.v0 - course.b) * std::exp(-course.a * t) +
             std::fabs(course.i0) * course.a * t * std::exp(-slower * t) +
             std::fabs(lift) * std::exp(-g * t);
    };
    Scalar t = 1 / slower;
    while (bound(t) >= theta - course.b) t *= 2;
    return t;
  }

  // The first t in (0, limit] at which y reaches 0 from below.
  Scalar crossing(Scalar limit) const {
    if (distance(0) >= 0) return 0;
    // Far below: K stays below 1, and the threshold between its ends.
    const Scalar top = std::max(course.v0, course.b) + std::max<Scalar>(course.i0, 0);
    if (top < theta + std::min(lift, lift * std::exp(-g * limit))) return infinity;
    if (std::isinf(limit)) limit = horizon();
    std::vector<Scalar> cuts;  // the extrema of y in ascending order, then the end
    const Scalar middle = bend();
    Scalar low = 0;
    for (const Scalar high : {std::min(middle, limit), limit}) {
      if (high > low && (speed(low) < 0) != (speed(high) < 0)) cuts.push_back(turn(low, high));
      low = high;
    }
    cuts.push_back(limit);
    low = 0;
    for (const Scalar high : cuts) {
      if (distance(high) >= 0) return bisect(low, high);
      low = high;
    }
    return infinity;
  }

  // The zero of y' between low and high. y is flat there: 15 digits of it are 30 of y.
  Scalar turn(Scalar low, Scalar high) const {
    const bool falls = speed(low) < 0;
    Scalar t = (low + high) / 2;
    for (int step = 0; step < 100; ++step) {
      const Scalar s = speed(t);
      ((s < 0) == falls ? low : high) = t;
      const Scalar change = course.a * (-course.c * course.i0 * std::exp(-course.c * t) -
                                        course.slope(t, course.voltage(t))) -
                            g * g * lift * std::exp(-g * t);
      Scalar next = t - s / change;
      if (!(next > low && next < high)) next = (low + high) / 2;
      if (std::fabs(next - t) <= 1e-15L * t) return next;
      t = next;
    }
    return t;
  }

  Scalar bisect(Scalar low, Scalar high) const {
    Scalar t = (low + high) / 2;
    for (int step = 0; step < 300; ++step) {
      const Scalar y = distance(t);
      (y < 0 ? low : high) = t;
      // Newton's point if it stays inside the bracket, otherwise the middle.
      Scalar next = t - y / speed(t);
      if (step < 6 || !(next > low && next < high)) next = (low + high) / 2;
      if (std::fabs(next - t) <= std::numeric_limits<Scalar>::epsilon() * t) return next;
      t = next;
    }
    return t;
  }
};

// ------------------------------------------------------------------------------------------------------------------
// A number with its derivatives for all parameters (none if only values are wanted).
struct Dual {
  Scalar value = 0;
  std::vector<Scalar> d;

  // += factor * (derivatives of other) and += factor * (derivatives of the parameter itself);
  // values stay.
  void chain(Scalar factor, const Dual& other) {
    for (size_t p = 0; p < d.size(); ++p) d[p] += factor * other.d[p];
  }
  void chain(Scalar factor, size_t parameter) {
    if (!d.empty()) d[parameter] += factor;
  }
};

struct Arrival {
  Dual time;
  size_t synapse;
  int occurrence;
};

// The state of a neuron is (V, I) at a moment of its own that moves with the parameters. As that
// moment is itself a Dual, jumps need no rules: a state carried from moving moment to moving moment
// has the right derivatives by itself.
struct State {
  Dual time, v, i;
  std::array<Dual, matrix_course::components> x;  // of a general neuron: V and all else
  bool clamped = false;                           // V = v_reset until `release`
  Dual release;
  Scalar next_spike = infinity;
  Dual adapted_at, a;  // the adaptation, at the start or the last spike; it decays from there
  Dual integral;
  Dual maximum;
  Maximum place;
  std::vector<Dual> spikes, samples;
  std::vector<Scalar> currents, adaptations;
  std::vector<Event> log;
};

// Two arrivals closer than rounding in float64 are one event; each keeps its own exact time
// nevertheless.
bool same_instant(Scalar s, Scalar t) {
  constexpr Scalar tolerance = 4 * Scalar(std::numeric_limits<double>::epsilon());
  return std::fabs(s - t) <= tolerance * std::max(std::fabs(s), std::fabs(t));
}

class Simulation {
 public:
  Simulation(const Network& network, const std::vector<InputSpike>& inputs, double t_end,
             const std::vector<double>& sample_times, bool differentiate)
      : network_(network),
        inputs_(inputs),
        end_(t_end),
        sample_times_(sample_times),
        states_(network.neurons.size()),
        outgoing_(network.neurons.size()) {
    validate();
    if (differentiate) size_ = parameter(network.neurons.size(), tau_mem);
    for (size_t s = 0; s < network.synapses.size(); ++s)
      if (!network.synapses[s].from_input)
        outgoing_[size_t(network.synapses[s].source)].push_back(s);
    run();
  }

  Outcome outcome() const {
    Outcome out;
    for (const State& state : states_) {
      out.spikes.emplace_back();
      for (size_t k = 0; k < state.spikes.size(); ++k)
        out.spikes.back().push_back(
            {state.spikes[k].value, state.currents[k], state.adaptations[k]});
      out.maxima.push_back(state.place);
      out.integrals.push_back(state.integral.value);
      out.samples.emplace_back();
      for (const Dual& sample : state.samples) out.samples.back().push_back(sample.value);
      out.log.push_back(state.log);
    }
    out.arrivals = arrivals_;
    out.refractory_arrivals = refractory_arrivals_;
    return out;
  }

  Gradient contract(const Errors& errors) const {
    std::vector<Scalar> sum(size_, 0);
    // Zeros are skipped: an integral to infinity that nobody asked for may have infinite
    // derivatives.
    const auto add = [&](double factor, const Dual& quantity) {
      for (size_t p = 0; factor != 0 && p < size_; ++p) sum[p] += factor * quantity.d[p];
    };
    for (size_t n = 0; n < states_.size(); ++n) {
      const State& state = states_[n];
      const Neuron& neuron = network_.neurons[n];
      if (!errors.spike.empty()) {
        require(errors.spike.at(n).size() <= state.spikes.size(), "more spike errors than spikes");
        for (size_t k = 0; k < errors.spike[n].size(); ++k)
          add(errors.spike[n][k], state.spikes[k]);
      }
      if (!errors.maximum.empty() && errors.maximum.at(n) != 0) {
        require(state.spikes.empty(), "the maximum is defined for neurons without a spike only");
        add(errors.maximum[n], state.maximum);
      }
      if (!errors.integral.empty() && errors.integral.at(n) != 0) {
        require(std::isfinite(end_) || neuron.bias == 0,
                "the integral to infinity needs a bias of 0");
        add(errors.integral[n], state.integral);
      }
      if (!errors.sample.empty())
        for (size_t k = 0; k < errors.sample.at(n).size(); ++k)
          add(errors.sample[n][k], state.samples.at(k));
    }
    Gradient g;
    const auto slice = [&](size_t from, size_t count) {
      return std::vector<Scalar>(sum.begin() + std::ptrdiff_t(from),
                                 sum.begin() + std::ptrdiff_t(from + count));
    };
    const size_t synapses = network_.synapses.size();
    g.weight = slice(0, synapses);
    g.delay = slice(synapses, synapses);
    g.input_time = slice(2 * synapses, inputs_.size());
    std::vector<Scalar>* const fields[] = {
        &g.tau_mem,    &g.tau_syn,   &g.v_threshold, &g.v_reset,   &g.bias,      &g.tau_ref,
        &g.v_initial,  &g.i_initial, &g.beta,        &g.tau_adapt, &g.a_initial, &g.tau_rise,
        &g.tau_syn_in, &g.frequency, &g.u_reset,     &g.u_initial};
    for (size_t n = 0; n < states_.size(); ++n)
      for (size_t p = 0; p < parameters; ++p) fields[p]->push_back(sum[parameter(n, Parameter(p))]);
    return g;
  }

 private:
  size_t parameter(size_t n, Parameter p) const {
    return 2 * network_.synapses.size() + inputs_.size() + n * parameters + p;
  }
  Dual constant(Scalar value) const { return {value, std::vector<Scalar>(size_, 0)}; }
  Dual variable(Scalar value, size_t index) const {
    Dual x = constant(value);
    x.chain(1, index);
    return x;
  }

  void validate() const {
    const int neurons = int(network_.neurons.size());
    require(end_ > 0, "t_end must be positive");
    for (const Neuron& n : network_.neurons) {
      require(n.tau_mem > 0 && n.tau_syn > 0 && n.tau_ref >= 0, "time constants must be positive");
      require(n.tau_adapt > 0 && std::isfinite(n.beta) && std::isfinite(n.a_initial),
              "the adaptation needs a positive time constant and finite values");
      require(
          n.tau_rise > 0 && n.tau_syn_in > 0 && (!n.general() || n.leaks || std::isfinite(end_)),
          "a current rises in a positive time, and V without a leak needs an end");
      require(!n.spikes ||
                  (n.v_reset < n.v_threshold && n.v_initial < n.v_threshold + n.beta * n.a_initial),
              "the reset and the initial voltage must lie below the threshold");
      require(!n.spikes || std::isfinite(end_) || n.bias <= n.v_threshold,
              "an infinite sample needs biases up to the threshold");
      require(!n.spikes || std::isfinite(end_) || n.beta == 0 || n.bias < n.v_threshold,
              "an infinite sample needs biases below a threshold that adapts");
    }
    for (const Synapse& s : network_.synapses) {
      require(s.source >= 0 && s.source < (s.from_input ? network_.inputs : neurons),
              "unknown source");
      require(s.target >= 0 && s.target < neurons, "unknown target");
      require(std::isfinite(s.weight) && std::isfinite(s.delay) && s.delay >= 0,
              "weight or delay out of range");
    }
    for (const InputSpike& spike : inputs_) {
      require(spike.channel >= 0 && spike.channel < network_.inputs, "unknown input channel");
      require(std::isfinite(spike.time) && spike.time >= 0, "input time out of range");
    }
    require(std::is_sorted(sample_times_.begin(), sample_times_.end()), "sample times must ascend");
    require(sample_times_.empty() || (sample_times_.front() >= 0 && sample_times_.back() <= end_),
            "sample times must lie within [0, t_end]");
    if (std::isfinite(end_)) return;
    // Longest paths grow for ever if, and only if, there is a cycle. Readouts emit nothing and
    // close none.
    std::vector<int> depth(network_.neurons.size(), 0);
    for (bool changed = true; changed;) {
      changed = false;
      for (const Synapse& s : network_.synapses) {
        if (s.from_input || !network_.neurons[size_t(s.source)].spikes) continue;
        if (depth[size_t(s.target)] > depth[size_t(s.source)]) continue;
        depth[size_t(s.target)] = depth[size_t(s.source)] + 1;
        require(depth[size_t(s.target)] < neurons,
                "an infinite sample needs a network without cycles");
        changed = true;
      }
    }
  }

  // docs/theory.md section 3: at one instant spikes come before arrivals. Releases and samples come
  // before both; settle() sees to that.
  void run() {
    for (size_t n = 0; n < states_.size(); ++n) {
      State& s = states_[n];
      s.time = s.integral = s.adapted_at = constant(0);
      s.v = s.maximum = variable(network_.neurons[n].v_initial, parameter(n, v_initial));
      s.i = variable(network_.neurons[n].i_initial, parameter(n, i_initial));
      s.a = variable(network_.neurons[n].a_initial, parameter(n, a_initial));
      s.place.value = s.v.value;
      s.x.fill(constant(0));
      s.x[matrix_course::v] = s.v;
      s.x[matrix_course::i] = s.i;
      s.x[matrix_course::a] = s.a;
      s.x[matrix_course::u] = variable(network_.neurons[n].u_initial, parameter(n, u_initial));
      s.x[matrix_course::one] = constant(1);
      predict(n);
    }
    for (size_t k = 0; k < inputs_.size(); ++k)
      for (size_t s = 0; s < network_.synapses.size(); ++s)
        if (network_.synapses[s].from_input && network_.synapses[s].source == inputs_[k].channel)
          send(variable(inputs_[k].time, 2 * network_.synapses.size() + k), s, int(k));

    for (int step = 0;; ++step) {
      if (step > 100000) throw std::runtime_error("more than 100,000 events: a runaway");
      size_t first = 0;
      for (size_t n = 1; n < states_.size(); ++n)
        if (states_[n].next_spike < states_[first].next_spike) first = n;
      const Scalar spike = states_.empty() ? infinity : states_[first].next_spike;
      const Scalar arrival = queue_.empty() ? infinity : queue_.begin()->first;
      if (std::isinf(spike) && std::isinf(arrival)) break;
      if (spike <= arrival)
        fire(first, spike);
      else
        deliver();
    }
    for (size_t n = 0; n < states_.size(); ++n) advance(n, constant(end_), Maximum::Place::end);
  }

  void send(Dual time, size_t synapse, int occurrence) {
    time.value += network_.synapses[synapse].delay;
    time.chain(1, network_.synapses.size() + synapse);
    const Scalar when = time.value;
    if (when < end_) queue_.emplace(when, Arrival{std::move(time), synapse, occurrence});
  }

  bool general(size_t n) const { return network_.neurons[n].general(); }
  // V - theta, at or behind the last event.
  Scalar distance(size_t n, Scalar time) const {
    const Neuron& p = network_.neurons[n];
    if (general(n)) return matrix_course::distance(p, values(state_at(n, constant(time))));
    return course(n).voltage(time - states_[n].time.value) - p.v_threshold -
           p.beta * adaptation(n, time);
  }

  using GeneralState = std::array<Dual, matrix_course::components>;
  static matrix_course::Vector values(const GeneralState& x) {
    matrix_course::Vector result{};
    for (size_t c = 0; c < x.size(); ++c) result[c] = x[c].value;
    return result;
  }
  // The state at a moment that may move: exp(M t) x, and what M, x and both moments do to it.
  GeneralState state_at(size_t n, const Dual& time) const {
    const State& s = states_[n];
    const Neuron& p = network_.neurons[n];
    const auto m = matrix_course::generator(p, s.clamped);
    const Scalar t = std::isinf(time.value) ? matrix_course::rest(p) : time.value - s.time.value;
    const auto flow = matrix_course::exponential(m, t);
    const auto before = values(s.x), after = matrix_course::product(flow.value, before);
    const auto speed = matrix_course::product(m.value, after);
    GeneralState x;
    for (size_t c = 0; c < x.size(); ++c) {
      x[c] = constant(after[c]);
      for (size_t k = 0; k < x.size(); ++k) x[c].chain(flow.value[c][k], s.x[k]);
      x[c].chain(speed[c], time);
      x[c].chain(-speed[c], s.time);
    }
    if (std::isinf(time.value)) x[matrix_course::integral].chain(infinity, parameter(n, bias));
    for (size_t q = 0; size_ > 0 && q < parameters; ++q) {
      const auto change = matrix_course::product(flow.d[q], before);
      for (size_t c = 0; c < x.size(); ++c) x[c].chain(change[c], parameter(n, Parameter(q)));
    }
    return x;
  }

  void predict_general(size_t n) {
    State& s = states_[n];
    const Scalar start = s.clamped ? s.release.value : s.time.value;
    if (start >= end_) return;
    const auto x = values(s.clamped ? state_at(n, s.release) : s.x);
    if (s.clamped && matrix_course::distance(network_.neurons[n], x) >= 0)
      throw std::runtime_error("a neuron is released at or above its adapted threshold");
    const Scalar dt = matrix_course::first_crossing(network_.neurons[n], x, end_ - start);
    if (std::isfinite(dt)) s.next_spike = std::min(start + dt, end_);
  }

  // Takes it to its spike at `time`, which gets its derivatives.
  void fire_general(size_t n, Dual& time) {
    using namespace matrix_course;
    State& s = states_[n];
    const Neuron& p = network_.neurons[n];
    const GeneralState x = state_at(n, time);  // at a fixed time
    const Vector change = product(generator(p, false).value, values(x));
    const Scalar speed = change[Component::v] - p.beta * change[Component::a];
    time.chain(-1 / speed, x[Component::v]);
    time.chain(1 / speed, parameter(n, v_threshold));
    time.chain(p.beta / speed, x[Component::a]);
    time.chain(x[Component::a].value / speed, parameter(n, saltus_oracle::beta));
    s.currents.push_back(x[Component::i].value);
    s.adaptations.push_back(x[Component::a].value);
    move(n, time, {});
  }

  Course course(size_t n) const {
    const State& s = states_[n];
    const Neuron& p = network_.neurons[n];
    return {s.v.value, s.i.value, p.bias, 1 / Scalar(p.tau_mem), 1 / Scalar(p.tau_syn)};
  }

  void predict(size_t n) {
    State& s = states_[n];
    const Neuron& p = network_.neurons[n];
    s.next_spike = infinity;
    if (!p.spikes) return;
    if (general(n)) return predict_general(n);
    Course from = course(n);
    Scalar start = s.time.value;
    if (s.clamped) {
      from.i0 *= std::exp(-from.c * (s.release.value - start));
      start = s.release.value;
    }
    if (start >= end_) return;
    Scalar dt;
    if (p.beta == 0) {
      dt = from.crossing(p.v_threshold, end_ - start);
    } else {
      if (s.clamped) from.v0 = p.v_reset;
      const Scalar lift = p.beta * adaptation(n, start);
      if (s.clamped && p.v_reset >= p.v_threshold + lift)
        throw std::runtime_error("a neuron is released at or above its adapted threshold");
      dt =
          AdaptiveCourse{from, p.v_threshold, lift, 1 / Scalar(p.tau_adapt)}.crossing(end_ - start);
    }
    if (std::isfinite(dt)) s.next_spike = std::min(start + dt, end_);
  }

  // V at a moment that may move: the chain rule over V0, I0, both moments, b and the time
  // constants.
  Dual voltage_at(size_t n, const Dual& time) const {
    const State& s = states_[n];
    if (general(n)) return state_at(n, time)[matrix_course::v];
    if (s.clamped) return variable(network_.neurons[n].v_reset, parameter(n, v_reset));
    if (std::isinf(time.value)) return variable(network_.neurons[n].bias, parameter(n, bias));
    const Course x = course(n);
    const Scalar t = time.value - s.time.value;
    Dual v = constant(x.voltage(t));
    if (size_ == 0) return v;
    const Scalar decay = std::exp(-x.a * t), slope = x.slope(t, v.value);
    const auto [w_a, w_c] = response_partials(x.a, x.c, t);
    const Scalar k = response(x.a, x.c, t);
    v.chain(decay, s.v);
    v.chain(k, s.i);
    v.chain(slope, time);
    v.chain(-slope, s.time);
    v.chain(-std::expm1(-x.a * t), parameter(n, bias));
    v.chain(-x.a * x.a * (-(x.v0 - x.b) * t * decay + x.i0 * (k / x.a + x.a * w_a)),
            parameter(n, tau_mem));
    v.chain(-x.c * x.c * x.i0 * x.a * w_c, parameter(n, tau_syn));
    return v;
  }

  Dual current_at(size_t n, const Dual& time) const {
    if (std::isinf(time.value)) return constant(0);
    const State& s = states_[n];
    const Scalar c = course(n).c, t = time.value - s.time.value, decay = std::exp(-c * t);
    Dual i = constant(s.i.value * decay);
    i.chain(decay, s.i);
    i.chain(-c * i.value, time);
    i.chain(c * i.value, s.time);
    i.chain(c * c * t * i.value, parameter(n, tau_syn));
    return i;
  }

  Scalar adaptation(size_t n, Scalar time) const {
    const State& s = states_[n];
    return s.a.value *
           std::exp(-(time - s.adapted_at.value) / Scalar(network_.neurons[n].tau_adapt));
  }

  // The threshold, from the last spike on, at a moment that may move.
  Dual threshold_at(size_t n, const Dual& time) const {
    const State& s = states_[n];
    const Neuron& p = network_.neurons[n];
    const Scalar g = 1 / Scalar(p.tau_adapt), t = time.value - s.adapted_at.value;
    const Scalar a = adaptation(n, time.value), lift = p.beta * a;
    Dual theta = variable(p.v_threshold + lift, parameter(n, v_threshold));
    theta.chain(p.beta * std::exp(-g * t), s.a);
    theta.chain(-g * lift, time);
    theta.chain(g * lift, s.adapted_at);
    theta.chain(a, parameter(n, beta));
    theta.chain(g * g * t * lift, parameter(n, tau_adapt));
    return theta;
  }

  // A spike at a moment that moves adds 1 to what the adaptation has decayed to.
  void adapt(size_t n, const Dual& time) {
    State& s = states_[n];
    const Scalar g = 1 / Scalar(network_.neurons[n].tau_adapt);
    const Scalar t = time.value - s.adapted_at.value;
    Dual a = constant(adaptation(n, time.value));
    a.chain(std::exp(-g * t), s.a);
    a.chain(-g * a.value, time);
    a.chain(g * a.value, s.adapted_at);
    a.chain(g * g * t * a.value, parameter(n, tau_adapt));
    a.value += 1;
    s.a = std::move(a);
    s.adapted_at = time;
  }

  // Carries the state to a moment at which V is already known. Both ODEs integrated once give the
  // integral of V:
  //     int V dt = int I dt + b t - tau_mem (V1 - V0),   int I dt = tau_syn (I0 - I1),
  // so that it needs nothing that is delicate at tau_mem = tau_syn.
  void move(size_t n, const Dual& time, Dual v) {
    State& s = states_[n];
    const Neuron& p = network_.neurons[n];
    if (general(n)) {
      s.x = state_at(n, time);
      s.time = time;
      s.integral = s.x[matrix_course::integral];
      return;
    }
    Dual i = current_at(n, time);
    const Scalar dt = time.value - s.time.value;
    const Scalar level =
        s.clamped ? p.v_reset : p.bias;  // what V, or V - I + tau_mem V', is worth throughout
    const size_t which = parameter(n, s.clamped ? v_reset : bias);
    if (std::isfinite(dt) || level != 0) s.integral.value += level * dt;
    if (level != 0) s.integral.chain(level, time);
    if (level != 0) s.integral.chain(-level, s.time);
    s.integral.chain(dt, which);
    if (!s.clamped) {
      s.integral.value += p.tau_syn * (s.i.value - i.value) - p.tau_mem * (v.value - s.v.value);
      s.integral.chain(p.tau_syn, s.i);
      s.integral.chain(-p.tau_syn, i);
      s.integral.chain(s.i.value - i.value, parameter(n, tau_syn));
      s.integral.chain(-p.tau_mem, v);
      s.integral.chain(p.tau_mem, s.v);
      s.integral.chain(s.v.value - v.value, parameter(n, tau_mem));
    }
    s.time = time;
    s.v = std::move(v);
    s.i = std::move(i);
  }

  void read_samples(size_t n, Scalar until, bool inclusive) {
    State& s = states_[n];
    for (size_t k = s.samples.size(); k < sample_times_.size(); ++k) {
      const Scalar at = sample_times_[k];
      if (at > until || (at == until && !inclusive)) break;
      s.samples.push_back(voltage_at(n, constant(at)));  // a fixed time: its derivatives are 0
      s.log.push_back({Event::Kind::sample, -1, int(k), at});
    }
  }

  // Release and samples up to and including `until`; afterwards the neuron is as the spikes and
  // arrivals find it.
  void settle(size_t n, Scalar until) {
    State& s = states_[n];
    if (s.clamped && s.release.value <= until) {
      read_samples(n, s.release.value, false);
      move(n, Dual(s.release), variable(network_.neurons[n].v_reset, parameter(n, v_reset)));
      s.clamped = false;
      s.log.push_back({Event::Kind::release, -1, int(s.spikes.size()) - 1, s.time.value});
    }
    read_samples(n, until, true);
  }

  void advance(size_t n, const Dual& time, Maximum::Place place) {
    settle(n, time.value);
    State& s = states_[n];
    Dual v = voltage_at(n, time);
    if (s.spikes.empty() && !general(n)) {
      // docs/theory.md section 7. Inside, the slope is 0 and the place's own motion drops out; at
      // an arrival the voltage at the moving moment already holds the motion (slope times the
      // motion of that moment).
      const auto propose = [&](const Dual& value, Scalar when, Maximum::Place where) {
        if (!(value.value > s.maximum.value)) return;
        s.maximum = value;
        s.place = {value.value, when, where, false, s.log.size()};
      };
      const Scalar turn = s.time.value + course(n).extremum();
      if (turn < time.value) propose(voltage_at(n, constant(turn)), turn, Maximum::Place::interior);
      propose(v, time.value, place);
    }
    move(n, time, std::move(v));
  }

  // What arrived at `time` took V over the threshold.
  void fire_at_arrival(size_t n, const Dual& time) {
    State& s = states_[n];
    s.currents.push_back(0);
    s.adaptations.push_back(s.x[matrix_course::a].value);
    move(n, time, {});
    spike(n, time);
  }

  // The neuron reaches its threshold at t. Implicit function theorem on V(t_k) = theta(t_k).
  void fire(size_t n, Scalar t) {
    settle(n, t);
    State& s = states_[n];
    const Neuron& p = network_.neurons[n];
    Dual time = constant(t);
    if (general(n)) {
      fire_general(n, time);
    } else {
      const Dual v = voltage_at(n, time);  // at a fixed time
      const Scalar current = course(n).i0 * std::exp(-course(n).c * (t - s.time.value));
      const Dual theta = threshold_at(n, time);
      const Scalar a = adaptation(n, t);
      const Scalar speed = (current + p.bias - theta.value) / p.tau_mem + p.beta * a / p.tau_adapt;
      time.chain(-1 / speed, v);
      time.chain(1 / speed, theta);
      move(n, time, threshold_at(n, time));
      adapt(n, time);
      s.currents.push_back(current);
      s.adaptations.push_back(a);
    }
    spike(n, time);
  }

  void spike(size_t n, const Dual& time) {
    State& s = states_[n];
    const Neuron& p = network_.neurons[n];
    s.spikes.push_back(time);
    s.log.push_back({Event::Kind::spike, -1, int(s.spikes.size()) - 1, time.value});
    s.v = variable(p.v_reset, parameter(n, v_reset));
    s.x[matrix_course::v] = s.v;
    s.x[matrix_course::a].value += 1;
    s.x[matrix_course::u] = variable(p.u_reset, parameter(n, u_reset));
    s.clamped = true;  // also for tau_ref = 0: released at once, but with a moving release
    s.release = time;
    s.release.value += p.tau_ref;
    s.release.chain(1, parameter(n, tau_ref));
    for (const size_t synapse : outgoing_[n]) send(time, synapse, int(s.spikes.size()) - 1);
    predict(n);
  }

  void arrive(size_t n, size_t synapse) {
    State& s = states_[n];
    const Scalar weight = network_.synapses[synapse].weight;
    if (general(n)) {
      const matrix_course::Kick e =
          matrix_course::kick(network_.neurons[n], network_.synapses[synapse].receptor);
      for (size_t c = 0; c < matrix_course::components; ++c) {
        if ((c == matrix_course::v || c == matrix_course::u) && s.clamped) continue;
        s.x[c].value += weight * e.value[c];
        s.x[c].chain(e.value[c], synapse);
        for (size_t p = 0; p < parameters; ++p)
          s.x[c].chain(weight * e.d[p][c], parameter(n, Parameter(p)));
      }
    } else {
      s.i.value += weight;
      s.i.chain(1, synapse);
    }
  }

  void deliver() {
    const Scalar when = queue_.begin()->first;
    const size_t n = size_t(network_.synapses[queue_.begin()->second.synapse].target);
    std::vector<Arrival> group;
    for (auto at = queue_.begin(); at != queue_.end() && same_instant(at->first, when);) {
      if (size_t(network_.synapses[at->second.synapse].target) != n) {
        ++at;
        continue;
      }
      group.push_back(std::move(at->second));
      at = queue_.erase(at);
    }
    State& s = states_[n];
    // A crossing that rounding moved onto this very instant fires first, with the current before
    // the arrivals.
    settle(n, when);
    const Neuron& p = network_.neurons[n];
    if (p.spikes && !s.clamped && distance(n, when) >= 0) fire(n, when);

    // The event moves as the mean of its arrivals (this matters to a maximum that sits here, and to
    // nothing else, because every arrival then acts at its own moment).
    Dual mean = constant(when);
    for (const Arrival& arrival : group) mean.chain(1 / Scalar(group.size()), arrival.time);
    const bool again = same_instant(s.place.time, when);
    advance(n, mean, Maximum::Place::arrival);
    if (same_instant(s.place.time, when) && (again || group.size() > 1)) s.place.tied = true;
    const bool jumps =
        p.spikes && p.current == Neuron::Current::delta && !p.resonates && !s.clamped;
    const Arrival* last = nullptr;  // that took V over the threshold
    for (const Arrival& arrival : group) {
      const bool below = jumps && matrix_course::distance(p, values(s.x)) <= 0;
      if (group.size() > 1) move(n, arrival.time, voltage_at(n, arrival.time));
      arrive(n, arrival.synapse);
      if (below && matrix_course::distance(p, values(s.x)) > 0) last = &arrival;
      ++arrivals_;
      if (s.clamped) ++refractory_arrivals_;
      s.log.push_back(
          {Event::Kind::arrival, int(arrival.synapse), arrival.occurrence, arrival.time.value});
    }
    if (last && matrix_course::distance(p, values(s.x)) > 0) return fire_at_arrival(n, last->time);
    predict(n);
  }

  const Network& network_;
  const std::vector<InputSpike>& inputs_;
  const Scalar end_;
  const std::vector<double>& sample_times_;
  size_t size_ = 0;  // number of derivatives carried
  std::vector<State> states_;
  std::vector<std::vector<size_t>> outgoing_;
  std::multimap<Scalar, Arrival> queue_;
  size_t arrivals_ = 0, refractory_arrivals_ = 0;
};

}  // namespace

Outcome simulate(const Network& network, const std::vector<InputSpike>& inputs, double t_end,
                 const std::vector<double>& sample_times) {
  return Simulation(network, inputs, t_end, sample_times, false).outcome();
}

Gradient gradient(const Network& network, const std::vector<InputSpike>& inputs, double t_end,
                  const Errors& errors, Outcome* outcome) {
  const Simulation simulation(network, inputs, t_end, errors.sample_times, true);
  if (outcome != nullptr) *outcome = simulation.outcome();
  return simulation.contract(errors);
}

Scalar functional(const Outcome& outcome, const Errors& errors) {
  Scalar sum = 0;
  for (size_t n = 0; n < outcome.spikes.size(); ++n) {
    if (!errors.spike.empty())
      for (size_t k = 0; k < errors.spike.at(n).size(); ++k)
        sum += errors.spike[n][k] * outcome.spikes[n].at(k).time;
    if (!errors.maximum.empty() && errors.maximum.at(n) != 0)
      sum += errors.maximum[n] * outcome.maxima[n].value;
    if (!errors.integral.empty() && errors.integral.at(n) != 0)
      sum += errors.integral[n] * outcome.integrals[n];
    if (!errors.sample.empty())
      for (size_t k = 0; k < errors.sample.at(n).size(); ++k)
        sum += errors.sample[n][k] * outcome.samples[n].at(k);
  }
  return sum;
}

}  // namespace saltus_oracle
