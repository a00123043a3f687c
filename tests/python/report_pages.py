# SPDX-License-Identifier: Apache-2.0
"""Small runs for the tests of the report, and what a page says."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

import numpy as np
import saltus

VOID = {"meta", "link", "br", "image"}


@dataclass
class Page(HTMLParser):
    """What is in a page, for tests to ask."""

    text: str
    ids: list = field(default_factory=list)
    sections: list = field(default_factory=list)
    pictures: list = field(default_factory=list)  # what they tell
    links: list = field(default_factory=list)
    words: str = ""
    open: list = field(default_factory=list)

    def __post_init__(self):
        super().__init__()
        self.feed(self.text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        of = dict(attrs)
        if "id" in of:
            self.ids.append(of["id"])
        if tag == "section":
            self.sections.append(of["id"])
        if tag == "svg":
            assert of["role"] == "img"
            self.pictures.append(of["aria-label"])
        self.links += [v for k, v in attrs if k in ("href", "src", "xlink:href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.words += data


def page_of(*arguments, **options):
    return Page(saltus.report.write(*arguments, **options).read_text(encoding="utf-8"))


def yin_yang_run(folder, epochs=2):
    """A short training of `fit`; returns its network."""
    net = saltus.Sequential(
        saltus.Input(5),
        saltus.LIF(30, saltus.Normal(1.5, 0.8)),
        saltus.LIF(3, saltus.Normal(2.0, 0.5)),
    )
    train, check = saltus.data.yin_yang("train"), saltus.data.yin_yang("validation", n=100)
    saltus.fit(net, train, saltus.FirstSpike(), np.inf, epochs=epochs, batch=500, validation=check,
               optimizer=saltus.Adam(0.02), checkpoint=folder, progress=False)  # fmt: skip
    return net


def spike_data(samples=40, channels=6, classes=3):
    rng = np.random.default_rng(3)
    rows = [
        (np.sort(rng.uniform(0, 0.03, 12)), rng.integers(0, channels, 12)) for _ in range(samples)
    ]
    labels = np.arange(samples) % classes
    return saltus.data.labelled_spikes(rows, labels, channels, t_end=np.full(samples, 0.05))


def recurrent_run(folder, loss=None):
    """Recurrent, with delays and time constants of each neuron, and ends of each sample."""
    rng = np.random.default_rng(4)
    net = saltus.Network()
    net.add_input("in", 6)
    net.add_population("hidden", "LIF", 20, tau_mem=rng.uniform(5e-3, 30e-3, 20))
    net.add_population("out", "LI", 3)
    net.connect("in", "hidden", rng.normal(1.5, 0.5, (6, 20)), rng.uniform(0, 5e-3, (6, 20)))
    net.connect("hidden", "hidden", rng.normal(0, 0.1, (20, 20)), 1e-3)
    net.connect("hidden", "out", rng.normal(0, 0.5, (20, 3)))
    loss = saltus.IntegratedVoltage() if loss is None else loss
    saltus.fit(net, spike_data(), loss, epochs=1, checkpoint=folder, progress=False)
    return net
