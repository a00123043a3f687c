#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The network of `saltus bench large` in NEST, forwards: it has no adjoint.

    pip install nest-simulator
    python bench/large_nest.py --neurons 1000 10000 100000

`iaf_psc_exp` is bound to its grid; `iaf_psc_exp_ps_lossless` finds exact spikes, as Saltus does.
Delays are rounded to the grid; the exact model is refractory for one step, as it must be.
"""

import argparse
import resource
import time

import nest


def build(neurons, synapses, model, args):
    """Make LIF neurons, 80 % of them excitatory, connected at random, out of step."""
    nest.ResetKernel()
    nest.set(
        resolution=args.resolution,
        local_num_threads=args.threads,
        print_time=False,
        rng_seed=args.seed + 1,
    )
    exact = model.endswith("lossless")
    population = nest.Create(
        model,
        neurons,
        {
            "tau_m": 20.0,
            "C_m": 20.0,  # V in units of I
            "tau_syn_ex": 5.0,
            "tau_syn_in": 5.0,
            "E_L": 0.0,
            "V_th": 1.0,
            "V_reset": 0.0,
            "t_ref": args.resolution if exact else 0.0,
        },
    )
    population.I_e = nest.random.uniform(0.8, 1.08)
    population.V_m = nest.random.uniform(0.0, 0.99)
    excitatory = int(0.8 * neurons)
    delay = nest.random.uniform(1.0, 10.0)
    # A fifth of the synapses into each neuron: on average that is drawing among all.
    for sources, share, weight in (
        (population[:excitatory], 0.8, 0.15),
        (population[excitatory:], 0.2, -0.75),
    ):
        nest.Connect(
            sources,
            population,
            {"rule": "fixed_indegree", "indegree": round(share * synapses)},
            {"synapse_model": "static_synapse", "weight": weight, "delay": delay},
        )


def measure(neurons, model, args):
    """Print a row of the table: the best of all rounds."""
    best = float("inf")
    for _ in range(args.rounds):
        start = time.perf_counter()
        build(neurons, args.synapses, model, args)
        nest.Prepare()
        built = time.perf_counter() - start
        start = time.perf_counter()
        nest.Run(1e3 * args.t_end)
        best = min(best, time.perf_counter() - start)
        nest.Cleanup()
    spikes = nest.GetKernelStatus("local_spike_counter")
    events = spikes * args.synapses
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"| {model} | {neurons} | {spikes / neurons / args.t_end:.1f} | {events} | {built:.1f} "
        f"| {best:.2f} | {1e9 * best / events:.1f} | {peak:.0f} |",
        flush=True,
    )


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--neurons", type=int, nargs="+", default=[1000, 10000, 100000])
    parser.add_argument("--synapses", type=int, default=100)
    parser.add_argument("--t-end", type=float, default=1.0, help="s")
    parser.add_argument("--resolution", type=float, default=0.1, help="ms")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--models", nargs="+", default=["iaf_psc_exp", "iaf_psc_exp_ps_lossless"])
    args = parser.parse_args()
    nest.verbosity = nest.VerbosityLevel.ERROR
    print("| model | neurons | spikes/s | events | build, s | run, s | ns an event | peak, MiB |")
    print("|---|---|---|---|---|---|---|---|")
    for model in args.models:
        for neurons in args.neurons:
            measure(neurons, model, args)


if __name__ == "__main__":
    main()
