"""`models.toml`: which models the user chose, and which files of the user's lie elsewhere."""

import json
import os
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from llmrec.models.catalogue import Kind
from llmrec.models.errors import ModelRejected

_KINDS: tuple[Kind, ...] = ("encoder", "writer")
_OWN = "own"
NONE = "none"
"""The choice of no writer at all."""


class Choices:
    """The file in the user's folder of models; without a folder nothing is chosen."""

    def __init__(self, folder: Path | None) -> None:
        self._file = folder / "models.toml" if folder else None

    def chosen(self) -> dict[Kind, str]:
        """A file name or a path by kind; of the writer also `NONE`.

        Raises:
            ModelRejected: the file is damaged.
        """
        table = self._table()
        return {kind: table[kind] for kind in _KINDS if isinstance(table.get(kind), str)}

    def own(self) -> list[Path]:
        """Files that lie elsewhere, in the order in which they were added.

        Raises:
            ModelRejected: the file is damaged.
        """
        own = self._table().get(_OWN)
        return [Path(path) for path in own if isinstance(path, str)] if isinstance(own, list) else []

    def choose(self, kind: Kind, choice: str | None) -> None:
        """Record a choice, or forget it."""
        chosen = {other: kept for other, kept in self.chosen().items() if other != kind}
        self.write(chosen | ({kind: choice} if choice is not None else {}), self.own())

    def write(self, chosen: Mapping[Kind, str], own: Sequence[Path]) -> None:
        """Replace the file, whole or not at all.

        Raises:
            ModelRejected: there is no folder for it, or it cannot be written.
        """
        if self._file is None:
            raise ModelRejected("There is no folder for your own models.")
        lines = [f"{key} = {json.dumps(value)}\n" for key, value in chosen.items()]
        lines += [f"{_OWN} = {json.dumps([str(path) for path in own])}\n"] if own else []
        part = self._file.with_name(self._file.name + ".part")
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            part.write_text("".join(lines), "utf-8")
            os.replace(part, self._file)
        except OSError as exc:
            raise ModelRejected(f"{self._file} could not be written: {exc.strerror or exc}.") from exc

    def _table(self) -> dict[str, Any]:
        if self._file is None or not self._file.is_file():
            return {}
        try:
            return tomllib.loads(self._file.read_text("utf-8"))
        except (OSError, ValueError) as exc:
            raise ModelRejected(f"{self._file} is damaged ({exc}); delete it to use the bundled models.") from exc
