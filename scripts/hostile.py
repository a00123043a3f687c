#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Feed every reader with damaged files and count what came of them.

hostile.py [--each 10000] [--kinds idx,model] [--seed 0] [--keep FOLDER]: a table in Markdown, exit
code 1 if anything is a fault. A fault is a signal, an exception that is none of ours, over 5 s of
processor time, over 1 GB, an error that does not name the file, or, of a file with a checksum,
something else than was written.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np
from safetensors.numpy import save_file

REPOSITORY = Path(__file__).resolve().parents[1]
COMMAND = Path(os.environ.get("SALTUS", REPOSITORY / "build" / "saltus")).resolve()
DATA = Path(os.environ.get("SALTUS_DATA", REPOSITORY.parent / "shared" / "data"))
SECONDS, MEGABYTES = 5.0, 1000.0

# --- damage -------------------------------------------------------------------------------------

_WORDS = [0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x7FFFFFFF, 2**31, 2**32 - 1, 2**62, 2**63 - 1, 2**64 - 1]
_TOKENS = [
    b"-1", b"1e999", b"-1e999", b"18446744073709551616", b"9223372036854775807", b"1e300", b"null",
    b"NaN", b'""', b"[" * 200_000, b'{"a":' * 200_000, b"{}", b"[]", b"true", b'"\\ud800"', b"\xff",
    b"0.5", b'"infinite"',
]  # fmt: skip


def _flip(r: random.Random, b: bytearray, other: bytes) -> None:
    for _ in range(r.choice((1, 1, 2, 8))):
        b[r.randrange(len(b))] ^= 1 << r.randrange(8)


def _insert(r: random.Random, b: bytearray, _: bytes) -> None:
    at = r.randrange(len(b) + 1)
    b[at:at] = r.randbytes(r.choice((1, 4, 100)))


def _cut(r: random.Random, b: bytearray, _: bytes) -> None:
    at = r.randrange(len(b))
    del b[at : r.choice((len(b), at + 1 + r.randrange(16)))]


def _splice(r: random.Random, b: bytearray, other: bytes) -> None:
    size = 1 + r.randrange(min(len(b), len(other), 512))
    start, at = r.randrange(len(other) - size + 1), r.randrange(len(b) - size + 1)
    b[at : at + size] = other[start : start + size]


def _extreme(r: random.Random, b: bytearray, _: bytes) -> None:
    size = r.choice((1, 2, 4, 8))
    word = (r.choice(_WORDS) & (2 ** (8 * size) - 1)).to_bytes(size, r.choice(("little", "big")))
    at = r.randrange(len(b))
    if len(b) > 8 and r.random() < 0.7:
        at -= at % size
    b[at : at + size] = word


def _token(r: random.Random, b: bytearray, _: bytes) -> None:
    """Replace a word of a text."""
    start = r.randrange(len(b))
    stops = b",:={}[]\n "
    while start > 0 and b[start - 1] not in stops:
        start -= 1
    end = start
    while end < len(b) and b[end] not in stops:
        end += 1
    b[start:end] = r.choice(_TOKENS)


_DAMAGE = [_flip, _insert, _cut, _splice, _extreme]


def damaged(r: random.Random, whole: bytes, other: bytes, *, text: bool) -> bytes:
    """Return something else than `whole`; of a large file mostly its beginning and end differ."""
    while True:
        begin, end = 0, len(whole)
        if end > 8192 and r.random() < 0.5:
            begin, end = r.choice(((0, 4096), (end - 4096, end)))
        part = bytearray(whole[begin:end])
        for _ in range(r.choice((1, 1, 1, 2, 5))):
            if not part:
                break
            r.choice([*_DAMAGE, *([_token] * 4 if text else [])])(r, part, other)
        result = whole[:begin] + bytes(part) + whole[end:]
        if result != whole:
            return result


# --- the digest of an archive, to get behind it ---------------------------------------------------


def _folded(h: int, data: bytes) -> int:
    padded = data + bytes(-len(data) % 8)
    for word in struct.unpack(f"<{len(padded) // 8}Q", padded):
        h = ((h ^ word) * 0xFF51AFD7ED558CCD) & (2**64 - 1)
        h ^= h >> 32
    return h


def _piece(name: bytes, data: bytes) -> int:
    h = _folded(_folded(0x9E3779B97F4A7C15, name), data)
    return _folded(h, struct.pack("<Q", len(data)))


def resealed(file: bytes) -> bytes:
    """Put the digest right, as whoever means harm would; what has no header stays as it is."""
    try:
        size = struct.unpack("<Q", file[:8])[0]
        header = json.loads(file[8 : 8 + size])
        old = header["__metadata__"]["digest"].encode()
        names = [n for n in header if n != "__metadata__"]
        beginning = file[: 8 + size].replace(old, b"0" * 16, 1)
        total = _piece(b"", beginning)
        for name in names:
            begin, end = header[name]["data_offsets"]
            total += _piece(name.encode(), file[8 + size + begin : 8 + size + end])
    except (ValueError, KeyError, TypeError, AttributeError, struct.error, RecursionError):
        return file
    new = f"{total & (2**64 - 1):016x}".encode()
    return file[: 8 + size].replace(old, new, 1) + file[8 + size :]


def resaid(r: random.Random, file: bytes, other: bytes) -> bytes:
    """Damage an archive's header or what it says, keep it a file of its kind, and reseal it."""
    size = struct.unpack("<Q", file[:8])[0]
    header = json.loads(file[8 : 8 + size])
    if r.random() < 0.3:
        text = damaged(r, file[8 : 8 + size], other[8:], text=True)
    else:
        about = json.loads(header["__metadata__"]["saltus"])
        tree = r.choice((header, about, about))
        for _ in range(r.choice((1, 1, 2))):
            _replace_somewhere(r, tree)
        if isinstance(header.get("__metadata__"), dict):
            header["__metadata__"]["saltus"] = json.dumps(about, separators=(",", ":"))
        text = json.dumps(header, separators=(",", ":")).encode()
    data = file[8 + size :]
    if r.random() < 0.2:
        data = damaged(r, data, other, text=False)
    return resealed(struct.pack("<Q", len(text)) + text + data)


def resaid_text(r: random.Random, text: bytes) -> bytes:
    """Say something else in a line of JSON, or in one text of it."""
    lines = [text] if text.startswith(b"{\n") else text.splitlines()
    k = r.randrange(len(lines))
    tree = json.loads(lines[k])
    _replace_somewhere(r, tree)
    lines[k] = json.dumps(tree).encode()
    return b"\n".join(lines)


_VALUES = [b"-1", b"0", b"1", b"2.5", b"inf", b"-inf", b"nan", b"1e300", b"true", b"''", b"'out'",
           b"'LIF'", b"[]", b"[1, 2]", b"{}", b"9223372036854775807", b"1979-05-27", b"\"\"\"",
           b"0x7fffffff", b"2147483648"]  # fmt: skip


def resaid_lines(r: random.Random, text: bytes) -> bytes:
    """Say something else in a line of TOML: another value or name, none, twice, or elsewhere."""
    lines = text.splitlines()
    told = [k for k, line in enumerate(lines) if line.strip() and not line.startswith(b"#")]
    for _ in range(r.choice((1, 1, 2, 4))):
        k = r.choice(told)
        name, is_, value = lines[k].partition(b" = ")
        what = r.random()
        if what < 0.4 and is_:
            lines[k] = name + is_ + r.choice(_VALUES)
        elif what < 0.6:
            letters = bytearray(name)
            letters[r.randrange(len(letters))] = r.choice(b'abz_.-[]x"')
            lines[k] = bytes(letters) + is_ + value
        elif what < 0.7:
            lines[k] = b""
        elif what < 0.85:
            lines[k] += b"\n" + lines[k]
        else:
            other = r.choice(told)
            lines[k], lines[other] = lines[other], lines[k]
        told = [k for k, line in enumerate(lines) if line.strip() and not line.startswith(b"#")]
        if not told:
            break
    return b"\n".join(lines) + b"\n"


def _replace_somewhere(r: random.Random, tree: object) -> None:
    """Replace, drop or double a random value of a tree of JSON."""
    places = []

    def walk(at: object) -> None:
        keys = at.keys() if isinstance(at, dict) else range(len(at)) if isinstance(at, list) else ()
        for key in keys:
            places.append((at, key))
            walk(at[key])  # type: ignore[index]

    walk(tree)
    if not places:
        return
    at, key = r.choice(places)
    kind = r.random()
    if kind < 0.15:
        del at[key]
    elif kind < 0.3 and isinstance(at, list):
        at.append(at[key])
    elif kind < 0.4 and isinstance(at, dict):
        at[str(key) + "x"] = at.pop(key)
    else:
        at[key] = r.choice(
            [-1, 0, 1, 2, 7, 2**31, 2**32, 2**62, 2**63 - 1, 2**64 - 1, 1e300, 0.5, None, True, "",
             "input", "LIF", "common", "per_synapse", [], {}, [2**61], "infinite"]
        )  # fmt: skip


# --- files to damage ----------------------------------------------------------------------------


@dataclass
class Kind:
    """Files of a kind, and how they are read."""

    name: str
    reads: str  # as tests/hostile/read_each calls it
    files: list[Path]
    sealed: bool = False  # does a checksum cover all of a file?
    text: bool = False
    behind_seal: bool = False  # damage what it says, and put the checksum right
    counts: Counter[str] = field(default_factory=Counter)
    most_seconds: float = 0
    most_megabytes: float = 0
    examples: dict[str, str] = field(default_factory=dict)


def _idx(values: np.ndarray) -> bytes:
    header = bytes([0, 0, 8, values.ndim]) + b"".join(n.to_bytes(4, "big") for n in values.shape)
    return header + values.astype(np.uint8).tobytes()


def _spike_file(path: Path, *, extra: bool, packed: bool) -> None:
    r = np.random.default_rng(1)
    n = 20
    how = {"chunks": (5,), "compression": "gzip", "shuffle": True} if packed else {}
    with h5py.File(path, "w") as file:
        sizes = r.integers(0, 12, n)
        for name, kind in (("times", np.float32), ("units", np.int64)):
            data = file.create_dataset(f"spikes/{name}", (n,), h5py.vlen_dtype(kind), **how)
            for k, size in enumerate(sizes):
                row = r.uniform(0, 0.1, size) if name == "times" else r.integers(0, 30, size)
                data[k] = row.astype(kind)
        file.create_dataset("labels", data=np.arange(n) % 4, **how)
        if extra:
            file.attrs["grid"] = [2, 5, 3]
            file["extra/speaker"] = np.arange(n) % 3
            file["extra/meta_info/age"] = r.uniform(20, 60, n)
            file["extra/keys"] = np.array([b"zero", b"one", b"two", b"three"])
            file.create_dataset("extra/names", data=["a", "bc", "def"], dtype=h5py.string_dtype())


def _recording(path: Path, *, labels: bool) -> None:
    r = np.random.default_rng(2)
    arrays = {}
    for name, size in ("in", 4), ("hidden", 6):
        times = [np.sort(r.uniform(0, 0.03, 5)) for _ in range(8)]
        arrays[f"{name}.times"] = np.concatenate(times)
        arrays[f"{name}.neurons"] = r.integers(0, size, 40).astype(np.int32)
        arrays[f"{name}.offsets"] = np.arange(0, 41, 5)
    if labels:
        arrays["labels"], arrays["t_end"] = np.arange(8) % 3, np.array([0.05])
    save_file(arrays, path)


def kinds_in(folder: Path) -> list[Kind]:
    """Make whole files of each kind."""
    r = np.random.default_rng(0)
    for packed in (False, True):
        place = folder / ("gz" if packed else "plain")
        place.mkdir()
        for name, values in (
            ("train-images-idx3-ubyte", r.integers(0, 256, (12, 5, 4))),
            ("train-labels-idx1-ubyte", r.integers(0, 10, 12)),
        ):
            whole = _idx(values)
            (place / (name + ".gz" if packed else name)).write_bytes(
                gzip.compress(whole) if packed else whole
            )
    spikes = [folder / name for name in ("plain.h5", "extra.h5", "packed.h5")]
    for file in spikes:
        _spike_file(file, extra=file.stem != "plain", packed=file.stem == "packed")
    spikes += sorted((DATA / "braille").glob("*_test.h5"))
    zipped = folder / "extra.h5.gz"
    zipped.write_bytes(gzip.compress(spikes[1].read_bytes()))
    images = folder / "images"
    images.mkdir()
    for file in (folder / "plain").iterdir():
        for prefix in ("train", "t10k"):
            shutil.copyfile(file, images / file.name.replace("train", prefix))
    tasks = (
        ["yinyang", "--train-samples", "64", "--recurrent", "--t-end", "0.05", "--hidden", "6",
         "--trainable", "weights,delays"],
        ["mnist", "--data", images, "--layers", "conv:2x3,8", "--validation", "0", "--batch", "4"],
    )  # fmt: skip
    runs = [folder / f"run{k}" for k in range(len(tasks))]
    for task, run in zip(tasks, runs, strict=True):
        line = [COMMAND, "train", *task, "--epochs", "2", "--quiet", "--out", run]
        done = subprocess.run(line, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"{' '.join(map(str, line))}: {done.stderr}")

    configs = [folder / f"{name}.toml" for name in ("graph", "mnist")]
    for config in configs:
        line = [COMMAND, "init", config.stem, "--out", config]
        subprocess.run(line, capture_output=True, check=True)
    graph_run = folder / "graph_run"
    line = [
        COMMAND,
        "train",
        "--config",
        configs[0],
        "--epochs",
        "0",
        "--quiet",
        "--out",
        graph_run,
    ]
    subprocess.run(line, capture_output=True, check=True)
    recordings = [folder / "measured.safetensors", folder / "spikes.safetensors"]
    for file in recordings:
        _recording(file, labels=file.stem == "measured")

    def of(name: str) -> list[Path]:
        return [run / name for run in runs]

    return [
        Kind("IDX, plain", "idx", sorted((folder / "plain").iterdir())),
        Kind("IDX, gzipped", "idx", sorted((folder / "gz").iterdir()), sealed=True),
        Kind("spike file, HDF5", "spikes", spikes),
        Kind("spike file, gzipped", "spikes", [zipped], sealed=True),
        Kind("model", "model", of("model.safetensors"), sealed=True),
        Kind("model, checksum put right", "model", of("model.safetensors"), behind_seal=True),
        Kind("model of format 1, HDF5", "model", [REPOSITORY / "tests/python/model_format_1.h5"]),
        Kind("checkpoint", "checkpoint", of("checkpoint.safetensors"), sealed=True),
        Kind("checkpoint, checksum put right", "checkpoint", of("checkpoint.safetensors"),
             behind_seal=True),
        Kind("settings.json", "settings", of("settings.json"), text=True),
        Kind("settings.json of a graph", "settings", [graph_run / "settings.json"], text=True),
        Kind("settings in TOML", "toml", configs, text=True),
        Kind("recording", "recording", recordings),
        Kind("metrics.jsonl", "metrics", of("metrics.jsonl"), text=True),
    ]  # fmt: skip


# --- the count ----------------------------------------------------------------------------------

FAULTS = ("signal", "exception", "over 5 s", "over 1 GB", "file not named", "another result")


class Reader:
    """tests/hostile/read_each of the build."""

    def __init__(self, kind: str) -> None:
        command = Path(os.environ.get("SALTUS_READ_EACH", COMMAND.parent / "tests" / "read_each"))
        self._process = subprocess.Popen(
            [command, kind],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            errors="replace",
        )

    def __call__(self, file: Path) -> tuple[float, float, str, str]:
        """Return processor seconds, megabytes, what came, and what was said."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{file}\n")
        self._process.stdin.flush()
        seconds, megabytes, came, *said = self._process.stdout.readline().split(" ", 3)
        return float(seconds), float(megabytes), came.strip(), "".join(said).strip()

    def close(self) -> None:
        """End it."""
        self._process.communicate()


Seen = tuple[float, float, str, str]  # processor seconds, megabytes, what came, what was said


def _faults(kind: Kind, file: Path, whole: str, seen: Seen) -> Iterator[str]:
    seconds, megabytes, came, said = seen
    if seconds > SECONDS or said.startswith(("CPU time", "Alarm")):
        yield "over 5 s"
    elif came == "signal":
        yield "signal"
    if megabytes > MEGABYTES:
        yield "over 1 GB"
    if came == "fault":
        yield "exception"
    if came == "error" and str(file) not in said:
        yield "file not named"
    if came == "ok" and said != whole and kind.sealed:
        yield "another result"


def run(kind: Kind, each: int, seed: int, keep: Path | None) -> None:
    """Read `each` damaged files of a kind, and count."""
    read = Reader(kind.reads)
    r = random.Random(f"{seed} {kind.name}")
    wholes = {file: file.read_bytes() for file in kind.files}
    with tempfile.TemporaryDirectory() as place:
        results = {}
        for file in kind.files:  # read whole first: what they hold
            seen = read(file.parent if kind.reads == "idx" else file)
            assert seen[2] == "ok", (file, seen)
            results[file] = seen[3]
        for k in range(each):
            source = r.choice(kind.files)
            other = wholes[r.choice(kind.files)]
            if kind.behind_seal:
                bytes_ = resaid(r, wholes[source], other)
            elif kind.text and r.random() < 0.5:
                resay = resaid_lines if source.suffix == ".toml" else resaid_text
                bytes_ = resay(r, wholes[source])
            else:
                bytes_ = damaged(r, wholes[source], other, text=kind.text)
            target = Path(place) / source.name
            target.write_bytes(bytes_)
            if kind.reads == "idx":
                for sibling in kind.files:
                    if sibling != source:
                        shutil.copyfile(sibling, Path(place) / sibling.name)
            asked = Path(place) if kind.reads == "idx" else target
            seen = read(asked)
            kind.most_seconds = max(kind.most_seconds, seen[0])
            kind.most_megabytes = max(kind.most_megabytes, seen[1])
            came = seen[2] if seen[2] != "ok" or seen[3] == results[source] else "other"
            kind.counts[came] += 1
            for fault in _faults(kind, asked, results[source], seen):
                kind.counts[fault] += 1
                kind.examples.setdefault(fault, f"{source.name}, number {k}: {seen}")
                if keep is not None:
                    (keep / f"{fault} {k} {source.name}".replace(" ", "-")).write_bytes(bytes_)
    read.close()


def row(kind: Kind, each: int) -> str:
    """Return a line of the table."""
    c = kind.counts
    cells = [kind.name, each, c["error"], c["ok"], c["other"], *(c[fault] for fault in FAULTS),
             f"{kind.most_seconds:.2f} s", f"{kind.most_megabytes:.0f} MB"]  # fmt: skip
    return f"| {' | '.join(f'{c:,}' if isinstance(c, int) else c for c in cells)} |"


def main() -> int:
    """Run all kinds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--each", type=int, default=10_000)
    parser.add_argument("--kinds", default="", help="parts of names, with commas (default: all)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="folder for the files that showed a fault")
    given = parser.parse_args()
    head = ["files", "damaged", "refused", "same", "another, no checksum or put right", *FAULTS,
            "longest", "most memory"]  # fmt: skip
    if given.keep is not None:
        given.keep.mkdir(parents=True, exist_ok=True)
    faults = 0
    print("| " + " | ".join(head) + " |\n|" + "---|" * len(head))
    with tempfile.TemporaryDirectory() as folder:
        for kind in kinds_in(Path(folder)):
            if given.kinds and not any(part in kind.name for part in given.kinds.split(",")):
                continue
            run(kind, given.each, given.seed, given.keep)
            print(row(kind, given.each), flush=True)
            for fault, example in kind.examples.items():
                faults += 1
                print(f"{kind.name}: {fault}: {example}", file=sys.stderr)
    return faults > 0


if __name__ == "__main__":
    sys.exit(main())
