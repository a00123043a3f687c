# SPDX-License-Identifier: Apache-2.0
"""Networks to and from NIR, the neuromorphic intermediate representation (docs/theory.md, 13).

In: `importing` of what `graph` boils down, with the `areas` of spikes and the `steps` and `cycles`
of a tool that steps, and a `report`. `nest` takes subgraphs apart, `shapes` says what leaves a
node, `nodes` makes linear maps of them (`maps`, `windows`), `compose` one map of several. Out:
`exporting` through a `writer`, with the shapes that `grids` chose and delays that `delays` split,
or as a tool wants it (`dialects`, `visits`). Both: `models`, a row for each neuron; `kinds` of
connections; `extra`, what NIR has no word for; `data`, spikes.
"""

from .data import from_nir_data, to_nir_data
from .exporting import to_nir
from .importing import from_nir, read_nir
from .report import NIRImport

__all__ = [
    "NIRImport",
    "from_nir",
    "from_nir_data",
    "read_nir",
    "to_nir",
    "to_nir_data",
]
