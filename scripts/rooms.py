#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The order of the rooms: no include runs from a lower room to a higher one, none in a circle.

A room is a folder of src/; a public header belongs to the room that it is the door of. Rooms of one
line do not see each other. rooms.py checks; rooms.py --list prints the order.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ORDER = """
    machine random
    archive
    hdf5
    fields spikes
    data network
    neuron
    plan
    thresholds
    simulate
    observe
    ghosts
    loss
    adjoint
    train
    store
    gradcheck bench
    cli
"""
# Public headers that are no room's own door.
DOORS = {
    "model": "network",
    "linear": "network",
    "connection": "network",
    "error": "machine",
    "version": "machine",
    "inputs": "plan",
    "limits": "fields",
    "graph": "train",
    "losses": "loss",
    "advice": "train",
    "margin": "train",
    "state": "simulate",
    "task": "train",
}
RANK = {room: k for k, line in enumerate(ORDER.split("\n")) for room in line.split()}
INCLUDE = re.compile(r'^#include "([\w/-]+)\.hpp"', re.MULTILINE)


def room_of(header: str) -> str:
    """Name the room of a header as it is included."""
    folder, name = header.split("/", 1)
    return DOORS.get(name, name) if folder == "saltus" else folder


def main() -> int:
    """Check every include of the library."""
    if "--list" in sys.argv[1:]:
        print(ORDER.strip().replace("    ", ""))
        return 0
    wrong, seen = [], set()
    for base in (ROOT / "src", ROOT / "include"):
        for file in sorted(base.rglob("*.[ch]pp")):
            inside = file.relative_to(base)
            here = room_of(str(inside.with_suffix("")))
            seen.add(here)
            for header in INCLUDE.findall(file.read_text()):
                if "/" not in header:
                    continue
                there = room_of(header)
                if there not in RANK and header.startswith("oracle"):
                    continue
                name = file.relative_to(ROOT)
                if here not in RANK or there not in RANK:
                    wrong.append(f"{name}: room '{here}' or '{there}' is not in the order of rooms")
                elif RANK[there] > RANK[here] or (RANK[there] == RANK[here] and there != here):
                    wrong.append(f"{name}: {here} includes {header}.hpp, of {there} above it")
    wrong += [f"room '{room}' is empty" for room in RANK if room not in seen]
    print("\n".join(wrong), end="\n" if wrong else "")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
