# SPDX-License-Identifier: Apache-2.0
"""What one sample may take at most."""

from __future__ import annotations

from typing import Any

from ._arrays import number, whole


def limits_for_core(spikes: object, memory: object, seconds: object) -> dict[str, Any]:
    """Return the settings of the core that say so."""
    return {
        "max_spikes_per_sample": whole(spikes, "max_spikes_per_sample", 2**63 - 1),
        "max_memory_per_sample": number(memory, "max_memory_per_sample"),
        "max_seconds_per_sample": number(seconds, "max_seconds_per_sample"),
    }
