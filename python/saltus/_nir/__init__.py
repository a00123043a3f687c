# SPDX-License-Identifier: Apache-2.0
"""Networks to and from NIR, the neuromorphic intermediate representation (docs/theory.md, 13).

In: `importing` of what `graph` boils down. `nest` takes subgraphs apart, `shapes` says what leaves
a node, `nodes` makes linear maps of them (`maps`, `windows`), `compose` one map of several. Out:
`exporting` through a `writer`, with the shapes that `grids` chose and delays that `delays` split.
Both: `models`, a row for each neuron; `kinds` of connections; `extra`, what NIR has no word for.
"""

from .exporting import to_nir
from .importing import from_nir

__all__ = ["from_nir", "to_nir"]
