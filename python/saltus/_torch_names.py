# SPDX-License-Identifier: Apache-2.0
"""Modules by any name, where PyTorch takes only some."""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, KeysView
from urllib.parse import unquote

import torch


class Named(torch.nn.ModuleDict):
    """A ModuleDict in which a name may have dots, or be that of a method (``"values"``).

    PyTorch keeps such a module under the name as a URL has it, which is what ``state_dict`` shows.
    """

    def _key(self, name: str) -> str:
        key = name.replace("%", "%25").replace(".", "%2E")
        if hasattr(self, key) and key not in self._modules:
            key = f"%{ord(key[0]):02X}{key[1:]}"  # attributes of PyTorch are ASCII
        return key

    def __getitem__(self, key: str) -> torch.nn.Module:
        return super().__getitem__(self._key(key))

    def __setitem__(self, key: str, module: torch.nn.Module) -> None:
        super().__setitem__(self._key(key), module)

    def __delitem__(self, key: str) -> None:
        super().__delitem__(self._key(key))

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self._key(key) in self._modules

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def keys(self) -> KeysView[str]:
        """Return the names, as they were given."""
        return self._unescaped().keys()

    def items(self) -> ItemsView[str, torch.nn.Module]:
        """Return names and modules."""
        return self._unescaped().items()

    def _unescaped(self) -> dict[str, torch.nn.Module]:
        return {unquote(key): module for key, module in self._modules.items()}
