"""The pinned models that can be pulled: `catalogue.toml`, read and checked."""

import re
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from llmrec.models.errors import ModelNotFound, ModelRejected

Kind = Literal["encoder", "writer"]

PATH = Path(__file__).with_name("catalogue.toml")
_FILE = re.compile(r"[A-Za-z0-9][\w.\-]*\.gguf")
_REPO = re.compile(r"[\w.\-]+/[\w.\-]+")


@dataclass(frozen=True, slots=True)
class Entry:
    """One model of the catalogue."""

    name: str
    """What the user types."""
    kind: Kind
    """Encoder or writer."""
    repo: str
    """Owner and repository on the hub."""
    file: str
    """Name of the file, there and here."""
    licence: str
    """SPDX name where there is one."""
    parameters: str
    """How many, in words."""
    context: int
    """Tokens it was trained for."""
    use: str
    """What it is good for, in a few words."""
    size: int = 0
    """Bytes."""
    revision: str = ""
    """The commit, 40 hex digits."""
    sha256: str = ""
    """Of the file, 64 hex digits."""
    dim: int = 0
    """Length of a vector, of encoders."""
    pinned: bool = True
    """Whether revision, size and hash are known."""

    def url(self, hub: str) -> str:
        """Address of the file on a hub."""
        return f"{hub.rstrip('/')}/{self.repo}/resolve/{self.revision}/{self.file}"


def load(path: Path = PATH) -> tuple[Entry, ...]:
    """All entries in the order of the file.

    Raises:
        ModelRejected: an entry is incomplete or malformed.
    """
    tables: list[dict[str, Any]] = tomllib.loads(path.read_text("utf-8"))["model"]
    known = {field.name for field in fields(Entry)}
    entries = []
    for table in tables:
        try:
            entry = Entry(**{key: value for key, value in table.items() if key in known})
        except TypeError as exc:
            raise ModelRejected(f"{path.name}: {table.get('name')} is incomplete: {exc}.") from exc
        if bad := _fault(entry):
            raise ModelRejected(f"{path.name}: {entry.name} has a bad {bad}.")
        entries.append(entry)
    return tuple(entries)


def find(name: str, entries: tuple[Entry, ...] | None = None) -> Entry:
    """The entry of that name, whatever its case.

    Raises:
        ModelNotFound: there is none; the text lists the names.
    """
    entries = load() if entries is None else entries
    for entry in entries:
        if entry.name.lower() == name.lower():
            return entry
    raise ModelNotFound(f"There is no model {name!r} in the catalogue; there are {', '.join(e.name for e in entries)}.")


def _fault(entry: Entry) -> str:
    """Name the first field that cannot be right."""
    checks = {
        "kind": entry.kind in ("encoder", "writer"),
        "file": _FILE.fullmatch(entry.file) is not None,
        "repo": _REPO.fullmatch(entry.repo) is not None,
        "revision": not entry.pinned or re.fullmatch("[0-9a-f]{40}", entry.revision) is not None,
        "sha256": not entry.pinned or re.fullmatch("[0-9a-f]{64}", entry.sha256) is not None,
        "size": not entry.pinned or entry.size > 0,
        "dim": entry.kind == "writer" or entry.dim > 0,
    }
    return next((field for field, good in checks.items() if not good), "")
