"""One line of the shelf: what is known of a model, from the catalogue or from the file itself."""

import re
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import NamedTuple

from llmrec.models import catalogue
from llmrec.models.catalogue import Entry, Kind
from llmrec.models.clean import clean
from llmrec.models.gguf_header import Header

_INITIALS = 4
"""Letters of the longest word that is written in capitals: AGPL."""


@dataclass(frozen=True, slots=True)
class Row:
    """One model, here or to be had."""

    name: str
    """In the catalogue, or the file name without `.gguf`."""
    kind: Kind
    """Encoder or writer."""
    path: Path | None
    """Where it is; None when it must be pulled first."""
    size: int
    """Bytes."""
    used: bool
    """Whether it is the one in use."""
    origin: str
    """"bundled", "pulled", "your own" or "to pull"."""
    entry: Entry | None = None
    """What the catalogue says of it."""
    parameters: str = ""
    """How many, in words."""
    licence: str = ""
    """What the catalogue says, else the file; "" where nobody does."""
    use: str = ""
    """What it is good for, from the same sources."""
    part: int = 0
    """Bytes of it that an interrupted download left here."""
    speed: float | None = None
    """Tokens a second on this machine; None where it was not measured."""


class About(NamedTuple):
    """What is said of a model."""

    parameters: str
    licence: str
    use: str

    @classmethod
    def of_entry(cls, entry: Entry) -> "About":
        """By the catalogue."""
        return cls(entry.parameters, entry.licence, entry.use)

    @classmethod
    def of_file(cls, header: Header) -> "About":
        """By the file itself; untrusted words."""
        licence, use = (str(header.metadata.get(f"general.{key}", "")) for key in ("license", "description"))
        count = sum(prod(tensor.shape) for tensor in header.tensors)
        parameters = f"{count / 1e9:.1f} B" if count >= 1e9 else f"{count / 1e6:.0f} M"
        return cls(parameters, spdx(clean(licence, limit=80)), clean(use, limit=80))


def spdx(licence: str) -> str:
    """SPDX's usual spelling of an id that a file has in small letters, as model hubs do: `Apache-2.0`, `CC-BY-SA-4.0`.

    Words of up to four letters are initials; a text that is no such id stays as it is.
    """
    if not re.fullmatch(r"[a-z0-9.+-]+", licence):
        return licence
    return "-".join(word.upper() if len(word) <= _INITIALS else word.capitalize() for word in licence.split("-"))


def namesake(path: Path) -> Entry | None:
    """The catalogue's model of which a file is another conversion: `all-MiniLM-L6-v2.Q8_0` of `all-MiniLM-L6-v2`."""
    name = path.stem.rpartition(".")[0]
    return next((entry for entry in catalogue.load() if entry.name == name), None)
