"""What a model file must show before llama.cpp may see it: header, kind, memory, and its pinned hash."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from llmrec.models.errors import ModelNotFound, ModelRejected
from llmrec.models.gguf_header import Header, read_header
from llmrec.models.hashes import sha256_of

Role = Literal["embed", "write"]

_SHARE = 0.8
"""Largest part of the free memory that a model may need."""
_OVERHEAD = 1.1
"""Buffers and cache, as a factor on the file size."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """A file that passed, and how to see that it is still the same one."""

    header: Header
    """What it says of itself."""
    stamp: tuple[int, int, int]
    """Inode, size in bytes, time of change in ns."""


def available_memory() -> int | None:
    """Bytes the system can give without swapping; None where it does not say."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            for line in file:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return None


def admit(
    path: Path,
    role: Role,
    *,
    sha256: str | None = None,
    free_memory: Callable[[], int | None] = available_memory,
    digest: Callable[[Path], str] = sha256_of,
) -> Admitted:
    """Check a model file for a role.

    Args:
        path: the GGUF file.
        role: "embed" needs an encoder, "write" a decoder.
        sha256: hex digest the whole file must have, when it is pinned.
        free_memory: gives the bytes the system can still hand out.
        digest: gives the SHA-256 of a file, perhaps from a cache.

    Raises:
        ModelNotFound: there is no such file.
        ModelRejected: it fails a check; the text says which and what to do.
    """
    _check_file(path)
    before = stamp_of(path)
    header = read_header(path)
    if role == "embed" and not header.is_encoder:
        raise ModelRejected(f"{path.name} writes texts and cannot embed; choose an encoder with `llmrec models use`.")
    if role == "write" and header.is_encoder:
        raise ModelRejected(f"{path.name} embeds and cannot write texts; choose a writer with `llmrec models use`.")
    _check_memory(path, header, free_memory())
    if sha256 is not None and digest(path) != sha256.lower():
        raise ModelRejected(f"{path.name} is not the pinned file (its SHA-256 differs); get it again.")
    if stamp_of(path) != before:
        raise ModelRejected(f"{path.name} changed while it was checked; try again.")
    return Admitted(header, before)


def stamp_of(path: Path) -> tuple[int, int, int]:
    """Inode, size and time of change: what differs when a file was replaced."""
    try:
        stat = path.stat()
    except OSError as exc:
        raise ModelRejected(f"{path.name} could not be read: {exc.strerror}.") from exc
    return stat.st_ino, stat.st_size, stat.st_mtime_ns


def _check_file(path: Path) -> None:
    if not path.exists():
        raise ModelNotFound(f"There is no model file at {path}; see `llmrec models list` for what can be had.")
    if path.is_dir():
        raise ModelRejected(
            f"{path} is a folder, not a GGUF model file; a folder is turned into one by `llmrec models convert`."
        )
    if not path.is_file():
        raise ModelRejected(f"{path} is not a plain file.")


def _check_memory(path: Path, header: Header, free: int | None) -> None:
    """Refuse before the load what would make the machine swap."""
    if free is not None and header.size * _OVERHEAD > free * _SHARE:
        raise ModelRejected(
            f"{path.name} needs about {header.size * _OVERHEAD / 1e9:.1f} GB and {free / 1e9:.1f} GB are free; "
            "close something or choose a smaller model."
        )
