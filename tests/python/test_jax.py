# SPDX-License-Identifier: Apache-2.0
"""saltus.jax: derivatives against differences and the core, with and without jit."""

import numpy as np
import pytest
import saltus

jax = pytest.importorskip("jax", reason="JAX is not installed")
jax.config.update("jax_enable_x64", True)

import saltus.jax as sj  # noqa: E402

from .networks import random_batch, recurrent_net  # noqa: E402

BATCH = random_batch(np.random.default_rng(2))


def function(output, readout=None, **options):
    readout = readout or ("hidden" if output == "first_spikes" else "out")
    if output == "voltages":
        options["at"] = [0.012, 0.031]
    return sj.EventProp(recurrent_net(), 0.05, readout, output, missing=0.04, **options)


@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize("output", ["maxima", "integrals", "voltages", "first_spikes"])
def test_gradients_are_differences(output, jit):
    f = function(output)
    rng = np.random.default_rng(0)
    factors = rng.normal(size=f(f.parameters, *BATCH).shape)

    def loss(parameters, times):
        return (factors * f(parameters, times, *BATCH[1:])).sum()

    value = jax.jit(loss) if jit else loss
    by_parameter, by_time = jax.grad(value, (0, 1))(f.parameters, BATCH[0])
    for name, array in [*f.parameters.items(), ("times", BATCH[0])]:
        gradient = by_time if name == "times" else by_parameter[name]
        assert gradient.shape == array.shape
        largest = float(np.abs(gradient).max())
        entry = np.unravel_index(int(np.abs(gradient).argmax()), array.shape)
        step = 1e-7 if ("tau" in name or "delay" in name or name == "times") else 1e-5
        values = []
        for change in (step, -step):
            moved = array.copy()
            moved[entry] += change
            if name == "times":
                values.append(float(loss(f.parameters, moved)))
            else:
                values.append(float(loss(f.parameters | {name: moved}, BATCH[0])))
        difference = (values[0] - values[1]) / (2 * step)
        assert abs(float(gradient[entry]) - difference) <= 2e-5 * max(largest, 1e-3), name


def test_values_are_those_of_the_core_and_jit_changes_nothing():
    f = function("maxima")
    record = saltus.simulate(recurrent_net(), {"in": BATCH}, 0.05)
    assert np.array_equal(f(f.parameters, *BATCH), record.maxima("out").values)
    assert np.array_equal(jax.jit(f)(f.parameters, *BATCH), record.maxima("out").values)


def test_the_times_of_voltages_are_those_that_were_given():
    at = np.array([0.012, 0.031])
    f = sj.EventProp(recurrent_net(), 0.05, "out", "voltages", at=at)
    before = f(f.parameters, *BATCH)
    at += 1e-3
    assert np.array_equal(f(f.parameters, *BATCH), before)


def test_the_way_back_does_not_see_what_was_written_since():
    f = function("maxima")
    parameters = {name: value.copy() for name, value in f.parameters.items()}
    values, back = jax.vjp(lambda times: f(parameters, times, *BATCH[1:]), BATCH[0])
    ones = np.ones(values.shape)
    (before,) = back(ones)
    for name in parameters:
        parameters[name] *= 1.1
    assert np.array_equal(back(ones)[0], before)


def test_gradient_descent_lowers_a_loss():
    f = function("maxima")
    names = ["hidden->out.weight", "hidden->hidden.delay"]

    @jax.jit
    def loss(some):
        return ((f(f.parameters | some, *BATCH) - 0.3) ** 2).sum()

    some = {name: f.parameters[name] for name in names}
    first = float(loss(some))
    for _ in range(30):
        gradient = jax.grad(loss)(some)
        some = some | {names[0]: some[names[0]] - 0.3 * gradient[names[0]]}
    assert float(loss(some)) < 0.2 * first


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: function("maxima", "hidden"), "'hidden' is LIF; expected LI"),
        (lambda: function("maxima", "x"), "no population is called 'x'"),
        (lambda: function("rates"), "output is 'rates'"),
        (lambda: function("maxima", at=[0.0]), "at: expected times"),
        (lambda: function("maxima")({}, *BATCH), "is missing or unknown"),
    ],
)
def test_wrong_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_errors_of_the_core_keep_their_message():
    f = function("maxima")
    with pytest.raises(Exception, match="time before"):
        f(f.parameters, BATCH[0][::-1].copy(), *BATCH[1:]).block_until_ready()


@pytest.mark.parametrize(
    ("place", "change", "error", "says"),
    [
        (1, lambda x: x + 0.9, TypeError, "neurons: expected an array of integers"),
        (1, lambda x: x + 2**32, ValueError, "neurons: .* does not fit into int32"),
        (1, lambda x: x > 0, TypeError, "neurons: expected an array of integers"),
        (2, lambda x: x + 0.7, TypeError, "offsets: expected an array of integers"),
        (0, lambda x: x + 0j, TypeError, "times: expected a number or an array of numbers"),
        (0, lambda x: np.ma.array(x, mask=x > 0.01), TypeError, "times: a masked array"),
    ],
)
def test_spikes_are_checked_as_those_of_simulate(place, change, error, says):
    f, batch = function("maxima"), list(BATCH)
    batch[place] = change(batch[place].astype(np.int64) if place else batch[place])
    with pytest.raises(error, match=says):
        f(f.parameters, *batch)
