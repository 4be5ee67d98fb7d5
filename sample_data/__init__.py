"""Three catalogues and three example people, written for this project; dates are relative to the day of reading.

Vectors of the items ship as a cache keyed by content and model (`make vectors` rebuilds it), so that the first screen
needs no model.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.resources import as_file, files
from typing import Any

import numpy as np
import numpy.typing as npt

CATALOGUES = ("feed", "shop", "courses")
PEOPLE = ("ada", "bela", "chika")
VECTORS = "vectors.npz"


def items(now: float) -> Iterator[dict[str, Any]]:
    """Item records in the import format; `published_at` is so many hours before `now` (Unix seconds)."""
    for domain in CATALOGUES:
        for record in _lines(f"{domain}.jsonl"):
            age = record.pop("age_hours")
            yield {**record, "url": None, "published_at": _moment(now, age), "domain": domain}


def events(now: float) -> Iterator[dict[str, Any]]:
    """Event records in the import format; `at` is so many hours before `now` (Unix seconds)."""
    for record in _lines("people.jsonl"):
        yield {**record, "at": _moment(now, record.pop("hours_ago"))}


def vectors() -> tuple[str, npt.NDArray[np.bytes_], npt.NDArray[np.float16]]:
    """Model id, content hashes (n,) of 16 bytes each, and vectors (n, d) of the bundled items."""
    with as_file(files(__name__) / VECTORS) as path, np.load(path, allow_pickle=False) as kept:
        return str(kept["model"]), kept["hashes"], kept["vectors"]


def probe() -> tuple[str, str]:
    """Model id of the bundled encoder, and its probe as text (`engine/probe.py`)."""
    with as_file(files(__name__) / VECTORS) as path, np.load(path, allow_pickle=False) as kept:
        return str(kept["model"]), str(kept["probe"])


def still_useful() -> list[tuple[str, str, bool]]:
    """Texts written to measure with, none of which was learnt from: title, text, still useful in a year."""
    return [(case["title"], case["text"], case["useful"]) for case in _lines("still_useful.jsonl")]


def _lines(name: str) -> Iterator[dict[str, Any]]:
    for line in (files(__name__) / name).read_text(encoding="utf-8").splitlines():
        yield json.loads(line)


def _moment(now: float, hours_ago: float) -> str:
    return datetime.fromtimestamp(now - 3600 * hours_ago, UTC).isoformat()
