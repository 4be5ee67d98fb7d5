"""The graph index of a catalogue of millions in a cache file: built when told to, mapped into memory ever after."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from llmrec.engine.catalogue import Catalogue
from llmrec.engine.errors import LlmrecError, StoreError
from llmrec.engine.index import GraphIndex
from llmrec.engine.kept_space import identity, name_of


class KeptGraph:
    """At most one file per store, named after the very items and encoder it was made of."""

    def __init__(self, folder: Path | None, store: Path | None) -> None:
        """Keep the file in `folder`; nothing is kept where the store itself is not."""
        self._folder = folder if store is not None else None
        self._prefix = f"graph-{name_of(store)}"

    def load(self, catalogue: Catalogue, hashes: Sequence[bytes], model: str) -> None:
        """Let a catalogue search in what was built for exactly its items; else do nothing."""
        if not self._files() or find_spec("usearch") is None:
            return
        file = self._file(catalogue, hashes, model)
        if file in self._files():
            try:
                catalogue.adopt_index(GraphIndex(catalogue.vectors, file))
            except LlmrecError:
                file.unlink(missing_ok=True)  # a cache: damaged is as good as absent

    def build(self, catalogue: Catalogue, hashes: Sequence[bytes], model: str) -> Path:
        """Build the graph and keep it in the place of an older one; a minute for some hundred thousand items.

        Raises:
            LlmrecError: the extra is not installed.
            StoreError: the file cannot be written, or the store itself is not kept.
        """
        if self._folder is None:
            raise StoreError("a store in memory keeps no index.")
        file = self._file(catalogue, hashes, model)
        part = file.with_suffix(".part")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            part.unlink(missing_ok=True)
            GraphIndex(catalogue.vectors, part)
            for old in self._files():
                old.unlink()
            part.replace(file)
        except OSError as exc:
            raise StoreError(f"{file} cannot be written: {exc.strerror or exc}. Make room there.") from exc
        self.load(catalogue, hashes, model)
        return file

    def _files(self) -> list[Path]:
        return list(self._folder.glob(f"{self._prefix}-*.usearch")) if self._folder is not None else []

    def _file(self, catalogue: Catalogue, hashes: Sequence[bytes], model: str) -> Path:
        assert self._folder is not None
        return self._folder / f"{self._prefix}-{identity(catalogue, hashes, model)[:16]}.usearch"
