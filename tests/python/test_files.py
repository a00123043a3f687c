# SPDX-License-Identifier: Apache-2.0
"""Models on disk: what others read, what earlier versions wrote."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import saltus
from safetensors.numpy import load_file, save_file


def everything():
    """Every kind of connection and delay, as format 1 was written of it."""
    rng = np.random.default_rng(4)
    net = saltus.Network()
    net.add_input("in", 32)
    tau_mem = np.linspace(10e-3, 30e-3, 64)
    net.add_population("features", "LIF", 2 * 4 * 8, tau_mem=tau_mem, tau_ref=1e-3)
    beta = rng.uniform(0, 1, 5)
    net.add_population("h", "ALIF", 5, tau_adapt=0.1, beta=beta, synapse="alpha")
    net.add_population("out", "LI", 3, bias=rng.normal(size=3))
    kernel = rng.normal(size=(2, 1, 3, 3))
    conv = saltus.Conv2d(kernel, input_shape=(1, 4, 8), padding=1)
    net.connect("in", "features", conv, delay=1e-3)
    sparse = saltus.Sparse(rng.normal(size=4), [0, 1, 5, 63], [4, 2, 2, 0], (64, 5))
    net.connect("features", "h", sparse, delay=rng.uniform(0, 1e-2, 4))
    net.connect("h", "h", rng.normal(size=(5, 5)), delay=rng.uniform(1e-3, 1e-2, (5, 5)))
    net.connect("h", "out", rng.normal(size=(5, 3)), delay=rng.uniform(0, 1e-2, 5))
    return net


def test_a_model_in_hdf5_of_an_earlier_version_is_read():
    assert saltus.load(Path(__file__).with_name("model_format_1.h5")) == everything()


def test_models_are_no_longer_written_as_hdf5(tmp_path):
    with pytest.raises(ValueError, match=r"expected .*net\.safetensors"):
        everything().save(tmp_path / "net.h5")
    assert not list(tmp_path.iterdir())


def test_the_library_of_safetensors_reads_it(tmp_path):
    net = everything()
    net.save(tmp_path / "net.safetensors")
    found = load_file(tmp_path / "net.safetensors")
    assert {name for name in found if ".shape." not in name} == set(net)
    for name in net:
        np.testing.assert_array_equal(found[name].reshape(net[name].shape), net[name])
    net.save(tmp_path / "single.safetensors", np.float32)
    single = load_file(tmp_path / "single.safetensors")
    assert single["h->h.weight"].dtype == np.float32
    assert single["h->h.weight"].shape == (5, 5)
    assert single["in->features.weight"].shape == (2, 1, 3, 3)


def test_a_pickle_is_the_network():
    net = everything()
    again = pickle.loads(pickle.dumps(net))
    assert again == net
    assert {name: again[name].shape for name in again} == {name: net[name].shape for name in net}


def test_files_of_others_are_refused(tmp_path):
    file = tmp_path / "other.safetensors"
    save_file({"weight": np.zeros((2, 3))}, file)
    with pytest.raises(OSError, match=r"other\.safetensors: damaged: it has no digest"):
        saltus.load(file)
    file.write_text("{}")
    with pytest.raises(OSError, match=r"other\.safetensors: damaged, or no safetensors"):
        saltus.load(file)


def test_a_population_of_one_comes_back_equal(tmp_path):
    net = saltus.Network()
    net.add_input("in", 1)
    net.add_population("h", "LIF", 1, tau_mem=[20e-3])
    net.connect("in", "h", [[5.0]])
    net.save(tmp_path / "net.safetensors")
    back = saltus.load(tmp_path / "net.safetensors")
    assert back == net
    back["h.tau_mem"] = 21e-3
    assert back != net


def test_the_folder_of_a_training_is_loaded(tmp_path):
    net = saltus.Sequential(saltus.Input(5), saltus.LIF(8), saltus.LIF(3))
    saltus.fit(
        net,
        saltus.data.yin_yang(n=50),
        saltus.FirstSpike(),
        0.06,
        epochs=1,
        progress=False,
        checkpoint=tmp_path,
        dtype=np.float64,
    )
    assert saltus.load(tmp_path) == net
