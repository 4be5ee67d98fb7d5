"""The shelf of models of the fake engine: nothing is loaded, fetched or checked."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event as Cancel
from threading import Semaphore
from typing import Any

from llmrec.engine import DownloadFailed, ModelRow, Progress
from llmrec.models.catalogue import Entry, Kind
from llmrec.models.download import Progress as Download


class FakeModels:
    """A shelf of four models: two encoders here, a writer here, a writer to be had."""

    hub = "http://hub.example"

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.fail: Exception | None = None
        """Raised by everything but looking."""
        self.steps = Semaphore(0)
        """Pieces of a download that may come."""
        self.serving, self.next = "fake-encoder@0", ""
        self.missing = 3
        """Items without a vector of the next encoder."""
        self.made = Semaphore(0)
        """Vectors of the next encoder that may be made."""
        self._rows = [
            self._row("fake-encoder", "encoder", "bundled", used=True, use="English; quick", licence="Apache-2.0"),
            self._row("second", "encoder", "pulled", use="better search"),
            self._row("scribe", "writer", "your own"),
            self._row("poet", "writer", "to pull", use="short texts", licence="MIT"),
        ]

    def _row(self, name: str, kind: Kind, origin: str, *, used: bool = False, **about: str) -> ModelRow:
        place = None if origin == "to pull" else Path(f"/models/{name}.gguf")
        entry = None
        if origin in ("to pull", "pulled"):
            entry = Entry(name, kind, f"hub/{name}", f"{name}.gguf", "MIT", "0.6 B", 512, "x", 100_000_000)
        return ModelRow(name, kind, place, 100_000_000, used, origin, entry, parameters="0.6 B", **about)

    def _change(self, name: str, **fields: Any) -> ModelRow:
        place = next(k for k, row in enumerate(self._rows) if name in (row.name, str(row.path)))
        self._rows[place] = replace(self._rows[place], **fields)
        return self._rows[place]

    def _command(self, call: str) -> None:
        self.calls.append(call)
        if self.fail is not None:
            raise self.fail

    def rows(self) -> list[ModelRow]:
        return list(self._rows)

    def deletes(self, row: ModelRow) -> bool:
        return row.origin == "pulled"

    def use(self, key: str) -> ModelRow:
        self._command(f"use {key}")
        row = self._change(key, used=True)
        self._rows = [replace(r, used=r == row) if r.kind == row.kind else r for r in self._rows]
        if row.kind == "encoder":
            self.next = f"{row.name}@0" if self.serving != f"{row.name}@0" else ""
        return row

    def add(self, path: str) -> ModelRow:
        self._command(f"add {path}")
        self._rows.append(self._row(Path(path).stem, "writer", "your own"))
        return self._rows[-1]

    def remove(self, key: str) -> Path:
        self._command(f"remove {key}")
        self._rows = [row for row in self._rows if str(row.path) != key]
        return Path(key)

    def verify(self, cancel: Cancel | None = None) -> Iterator[tuple[ModelRow, str]]:
        self._command("verify")
        for row in self._rows:
            if row.path is not None:
                yield row, "second is not the pinned file." if row.name == "second" else ""

    def measure(self, key: str, cancel: Cancel | None = None) -> ModelRow:
        self._command(f"measure {key}")
        return self._change(key, speed=1234.0)

    def pull(self, name: str, cancel: Cancel | None = None) -> Iterator[Download]:
        self._command(f"pull {name}")
        assert cancel is not None
        done = next(row.part for row in self._rows if row.name == name)
        yield Download(done, 100_000_000, 0.0)
        while done < 100_000_000:
            while not self.steps.acquire(timeout=0.005):
                if cancel.is_set():
                    self._change(name, part=done)
                    raise DownloadFailed(f"{name} was stopped at {done // 1_000_000} of 100 MB.")
            if self.fail is not None:
                raise self.fail
            done += 25_000_000
            yield Download(done, 100_000_000, 5e6)
        self._change(name, path=Path(f"/models/{name}.gguf"), origin="pulled", part=0)

    def switch(self, items: int, cancel: Cancel | None) -> Iterator[Progress]:
        """Vectors of the next encoder, each when `made` lets it."""
        wanted = self.next
        while wanted and self.missing:
            yield Progress(items - self.missing, items, f"vectors by {wanted.partition('@')[0]}")
            while not self.made.acquire(timeout=0.005):
                if cancel is not None and cancel.is_set():
                    return
            if self.fail is not None:
                raise self.fail
            self.missing -= 1
        if wanted:
            self.serving, self.next = wanted, ""
