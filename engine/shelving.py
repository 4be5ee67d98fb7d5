"""The shelf of models for a running engine: what is chosen there takes effect at once."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event as Cancel
from typing import TYPE_CHECKING

from llmrec.models.shelf import HUB, Shelf
from llmrec.models.shelf_row import Row

if TYPE_CHECKING:
    from llmrec.models.download import Progress as Download


class Models:
    """Encoders and writers, here and to be had."""

    def __init__(self, shelf: Shelf, log: Path, changed: Callable[[], None]) -> None:
        """A shelf.

        Args:
            shelf: where the models are.
            log: what the model processes print.
            changed: called when another model may be in use.
        """
        self._shelf = shelf
        self._log = log
        self._changed = changed

    def rows(self) -> list[Row]:
        """Encoders, then writers; of each first those that are here."""
        rows = self._shelf.rows()
        return sorted(rows, key=lambda row: (row.kind, row.path is None, row.origin != "bundled"))

    @property
    def hub(self) -> str:
        """Where models are fetched from, for the question before the network is used."""
        return os.environ.get("LLMREC_HUB") or HUB

    def pull(self, name: str, cancel: Cancel | None = None) -> Iterator["Download"]:
        """Fetch a model of the catalogue; stopped and called again, it goes on where it was.

        Raises:
            ModelError: it could not be fetched.
        """
        yield from self._shelf.pull(name, cancel=cancel)
        self._changed()  # the first writer is in use without being asked for

    def use(self, name: str) -> Row:
        """Use a model that is here, by name or path: a writer at once, an encoder once every item has its vector.

        Raises:
            ModelError: there is no such model, or it cannot be used.
        """
        row = self._shelf.use(name)
        self._changed()
        return row

    def use_no_writer(self) -> None:
        """Let texts be the items' own words from now on.

        Raises:
            ModelError: the choice cannot be kept.
        """
        self._shelf.use_no_writer()
        self._changed()

    def add(self, path: str) -> Row:
        """List a GGUF file that lies anywhere.

        Raises:
            ModelError: it is not a model.
        """
        return self._shelf.add(path)

    def remove(self, name: str) -> Path:
        """Delete a model of the user's folder, or take a file that lies elsewhere off the list.

        Raises:
            ModelError: it is not here, or bundled.
        """
        path = self._shelf.remove(name)
        self._changed()
        return path

    def deletes(self, row: Row) -> bool:
        """Whether removing it deletes a file."""
        return row.path is not None and self._shelf.owns(row.path)

    def verify(self, cancel: Cancel | None = None) -> Iterator[tuple[Row, str]]:
        """Check every model that is here; yields each with what is wrong with it, "" for nothing."""
        for found in self._shelf.verify():
            yield found
            if cancel is not None and cancel.is_set():
                return

    def measure(self, name: str, cancel: Cancel | None = None) -> Row:
        """Find out how many tokens a second a model does here.

        Raises:
            ModelError: it could not run.
        """
        return self._shelf.measure(name, log=self._log, cancel=cancel)
