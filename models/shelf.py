"""The models a user has: the bundled ones, the ones in the user's folder, and which of them are in use."""

import os
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

from llmrec.models import catalogue
from llmrec.models.catalogue import Entry, Kind
from llmrec.models.check import Role, admit
from llmrec.models.choices import NONE, Choices
from llmrec.models.errors import ModelError, ModelNotFound, ModelRejected
from llmrec.models.gguf_header import read_header
from llmrec.models.hashes import HashCache
from llmrec.models.host import Host, Limits
from llmrec.models.llamacpp import LlamaEmbedder, LlamaWriter
from llmrec.models.shelf_row import About, Row, namesake
from llmrec.models.speed import Speeds, encoder_speed, writer_speed

if TYPE_CHECKING:
    from llmrec.models.download import Progress

WEIGHTS = Path(__file__).parent / "weights"
"""The installation's models."""
FILE_NAME = "all-MiniLM-L6-v2.Q8_0.gguf"
"""The bundled encoder's teacher, which `llmrec.models.setup` makes."""
HUB = "https://huggingface.co"
"""Where pinned models come from; LLMREC_HUB names a mirror."""
QUANTISED = ("q8_0", "q6_k", "q5_k_m", "q4_k_m", "f16", "bf16")
"""Kinds of file that `quantize` writes."""

_BUNDLED: dict[Kind, tuple[str, ...]] = {
    "encoder": ("llmrec-embed.Q8_0.gguf", FILE_NAME),
    "writer": ("llmrec-write.Q8_0.gguf",),
}
"""File names, best first."""
_HASHES = "hashes.json"
_SPEEDS = "speeds.json"
_UNQUANTISED = (0, 1, 32)


class Shelf:
    """Models in the installation and in the user's folder."""

    def __init__(self, folder: Path | None, *, cache: Path | None = None, bundled: Path = WEIGHTS):
        """Look at nothing yet.

        Args:
            folder: the user's models and `models.toml`; None for the bundled ones only.
            cache: folder in which hashes of files are remembered.
            bundled: the installation's models.
        """
        self._folder = folder
        self._bundled = bundled
        self.hashes = HashCache(cache / _HASHES if cache else None)
        self._choices = Choices(folder)
        self._speeds = Speeds(cache / _SPEEDS if cache else None)

    def rows(self) -> list[Row]:
        """All models that are here, and those of the catalogue that are not."""
        entries = {entry.file: entry for entry in catalogue.load()}
        used = {path.resolve() for kind in _BUNDLED if (path := self._in_use(kind))}
        rows = [row for path in self._files() if (row := self._row(path, entries.get(path.name), used))]
        here = {row.name for row in rows}
        return rows + [self._missing(entry) for entry in entries.values() if entry.name not in here]

    def _missing(self, e: Entry) -> Row:
        return Row(e.name, e.kind, None, e.size, False, "to pull", e, *About.of_entry(e), part=self._begun(e))

    def path(self, name: str) -> Path:
        """The file of a model that is here, by its name, its file name or its path.

        Raises:
            ModelNotFound: it is not here; the text names the command that brings it.
        """
        for row in self.rows():
            if row.path and (name.lower() in (row.name.lower(), row.path.name.lower()) or name == str(row.path)):
                return row.path
        if any(name.lower() == entry.name.lower() for entry in catalogue.load()):
            raise ModelNotFound(f"{name} is not here yet: `llmrec models pull {name}`.")
        raise ModelNotFound(f"There is no model {name!r}; `llmrec models list` shows what there is.")

    def by_id(self, model_id: str) -> Path | None:
        """The file that vectors were made by, from the id that is kept with them; None where it is gone."""
        alike = (path for path in self._files() if path.stem == model_id.rpartition("@")[0])
        return next((path for path in alike if self._is(path, model_id)), None)

    def _is(self, path: Path, model_id: str) -> bool:
        try:
            return model_id.endswith(f"@{self.hashes.digest(path)[:12]}")
        except OSError:  # removed since it was listed
            return False

    def chosen(self, kind: Kind) -> Path | None:
        """The model to use: the user's choice, else the best bundled one, else a pulled one, else None.

        The user may have chosen to have no writer, which is None too.

        Raises:
            ModelNotFound: the chosen file is gone.
            ModelRejected: the file of choices is damaged.
        """
        choice = self._choices.chosen().get(kind)
        if choice is None:
            return self._best(kind)
        if choice == NONE:
            return None
        path = self._resolve(choice)
        if not path.is_file():
            raise ModelNotFound(f"The {kind} in use, {choice}, is gone: pull it again, or `llmrec models use` another.")
        return path

    def use(self, name: str) -> Row:
        """Use a model from now on.

        Args:
            name: of a model that is here, or a path to a GGUF file of one's own.

        Raises:
            ModelError: there is no such model, or it cannot be used.
        """
        own = Path(name).expanduser()
        is_file = own.suffix == ".gguf" and own.is_file()
        path = self.add(name).path if is_file else self.path(name)
        assert path is not None
        kind: Kind = "encoder" if read_header(path).is_encoder else "writer"
        admit(path, _role(kind), sha256=self._pin(path), digest=self.hashes.digest)
        if path == self._best(kind):
            self._choices.choose(kind, None)
        else:
            self._choices.choose(kind, path.name if path.parent == self._folder else str(path))
        return self._found(path)

    def use_no_writer(self) -> None:
        """Let nothing be written from now on.

        Raises:
            ModelRejected: the choice cannot be kept.
        """
        self._choices.choose("writer", NONE)

    def add(self, name: str) -> Row:
        """List a GGUF file of one's own from now on, wherever it lies.

        Args:
            name: its path.

        Raises:
            ModelNotFound: there is no such file.
            ModelRejected: it is not a model.
        """
        path = Path(name).expanduser().resolve()
        if path.is_dir():
            raise ModelRejected(f"{path} is a folder; give the path of a .gguf file.")
        kind: Kind = "encoder" if read_header(path).is_encoder else "writer"
        admit(path, _role(kind), free_memory=lambda: None)
        if path not in self._files():
            self._choices.write(self._choices.chosen(), [*self._choices.own(), path])
        return self._found(path)

    def _found(self, path: Path) -> Row:
        return next(row for row in self.rows() if row.path == path)

    def measure(self, name: str, *, log: Path | None = None, cancel: Event | None = None) -> Row:
        """Find out how many tokens a second a model does on this machine.

        Args:
            name: of a model that is here.
            log: where llama.cpp's words go.
            cancel: looked at while it works.

        Raises:
            ModelError: it is not here, or could not run.
        """
        path = self.path(name)
        host = Host(log=log)
        try:
            if read_header(path).is_encoder:
                speed = encoder_speed(LlamaEmbedder(path, host, hashes=self.hashes), cancel)
            else:
                speed = writer_speed(LlamaWriter(path, host, hashes=self.hashes), cancel)
        finally:
            host.close()
        self._speeds.keep(path, speed)
        return self._found(path)

    def pull(self, name: str, *, hub: str | None = None, cancel: Event | None = None) -> Iterator["Progress"]:
        """Fetch a model of the catalogue; yields the progress.

        Raises:
            ModelNotFound: the catalogue has no such model.
            ModelRejected: its entry is not pinned.
            DownloadFailed: it could not be fetched.
        """
        from llmrec.models.download import fetch  # brings the web client, which nothing else needs

        entry = catalogue.find(name)
        if not entry.pinned:
            raise ModelRejected(
                f"{entry.name} is not pinned, so it cannot be pulled; get {entry.file} from {entry.repo} yourself and "
                f"run `llmrec models use PATH`."
            )
        target = self._own_folder() / entry.file
        url = entry.url(hub or os.environ.get("LLMREC_HUB") or HUB)
        if not (target.is_file() and self.hashes.digest(target) == entry.sha256):
            yield from fetch(url, target, size=entry.size, sha256=entry.sha256, cancel=cancel)

    def verify(self) -> Iterator[tuple[Row, str]]:
        """Check every model that is here; yields each with what is wrong with it, "" for nothing."""
        for row in self.rows():
            if row.path is None:
                continue
            try:
                read_header(row.path)
                pin = row.entry.sha256 if row.entry and row.entry.pinned else None
                admit(row.path, _role(row.kind), sha256=pin, free_memory=lambda: None)
            except ModelError as exc:
                yield row, str(exc)
            else:
                yield row, ""

    def remove(self, name: str) -> Path:
        """Delete a model of the user's folder, or take a file that lies elsewhere off the list and leave it alone.

        If it was in use, the bundled one is used again.

        Raises:
            ModelNotFound: it is not here.
            ModelRejected: it is bundled, or cannot be deleted.
        """
        path = self.path(name)
        if self.bundles(path):
            raise ModelRejected(f"{path.name} came with the program; it is left alone.")
        if self.owns(path):
            try:
                path.unlink()
            except OSError as exc:
                raise ModelRejected(f"{path} could not be deleted: {exc.strerror or exc}.") from exc
        choices = {kind: choice for kind, choice in self._choices.chosen().items() if self._resolve(choice) != path}
        if choices != self._choices.chosen() or path in self._choices.own():
            self._choices.write(choices, [own for own in self._choices.own() if own != path])
        return path

    def bundles(self, path: Path) -> bool:
        """Whether a file came with the program, so that it cannot be removed."""
        return path.parent == self._bundled

    def owns(self, path: Path) -> bool:
        """Whether a file lies in the user's folder of models, so that removing it deletes it."""
        return path.parent == self._folder

    def quantize(self, name: str, ftype: str, *, log: Path | None = None) -> Path:
        """Write a smaller copy of an F16 or F32 model into the user's folder.

        Args:
            name: of a model that is here, or a path.
            ftype: one of `QUANTISED`.
            log: where llama.cpp's words go.

        Raises:
            ModelError: the model is not here, is quantised already, or llama.cpp could not.
        """
        source = Path(name).expanduser() if Path(name).expanduser().is_file() else self.path(name)
        if read_header(source).metadata.get("general.file_type") not in _UNQUANTISED:
            raise ModelRejected(f"{source.name} is quantised already; start from an F16 or F32 file.")
        out = self._own_folder() / f"{source.stem.removesuffix('.F16').removesuffix('.F32')}.{ftype.upper()}.gguf"
        part = out.with_name(out.name + ".part")
        limits = Limits(silence=3600, total=3600)
        host = Host(log=log, limits=limits, writable=[out.parent], readable=[source.resolve().parent])
        try:
            host.answer("quantize", {"path": str(source.resolve()), "out": str(part), "ftype": ftype})
            read_header(part)
            os.replace(part, out)
        finally:
            host.close()
            part.unlink(missing_ok=True)
        return out

    def _files(self) -> list[Path]:
        """GGUF files, the bundled ones first."""
        folders = [folder for folder in (self._bundled, self._folder) if folder and folder.is_dir()]
        chosen = [path for choice in self._choices.chosen().values() if (path := self._resolve(choice)).is_absolute()]
        found = [path for folder in folders for path in sorted(folder.glob("*.gguf"))]
        elsewhere = dict.fromkeys([*self._choices.own(), *chosen])
        return found + [path for path in elsewhere if path not in found and path.is_file()]

    def _row(self, path: Path, entry: Entry | None, used: set[Path]) -> Row | None:
        """A row for a file; None for one that is not a model."""
        try:
            header = read_header(path)
        except ModelError:
            if entry is None:
                return None
            kind, about = entry.kind, About.of_entry(entry)
        else:
            known = entry or namesake(path)
            about = About.of_entry(known) if known is not None else About.of_file(header)
            kind = "encoder" if header.is_encoder else "writer"
        origin = "bundled" if self.bundles(path) else "pulled" if entry else "your own"
        name, is_used = entry.name if entry else path.stem, path.resolve() in used
        try:
            size, speed = path.stat().st_size, self._speeds.of(path)
        except OSError:  # removed since it was listed
            return None
        return Row(name, kind, path, size, is_used, origin, entry, *about, speed=speed)

    def _begun(self, entry: Entry) -> int:
        """Bytes that an interrupted download left, where `download.fetch` keeps them."""
        try:
            return min(entry.size, (self._folder / f"{entry.file}.part").stat().st_size) if self._folder else 0
        except OSError:
            return 0

    def _in_use(self, kind: Kind) -> Path | None:
        """The chosen model, or None when it is gone."""
        try:
            return self.chosen(kind)
        except ModelNotFound:
            return None

    def _best(self, kind: Kind) -> Path | None:
        """What is used when the user chose nothing."""
        bundled = (self._bundled / name for name in _BUNDLED[kind])
        if path := next((path for path in bundled if path.is_file()), None):
            return path
        if self._folder is None:
            return None
        pulled = (self._folder / entry.file for entry in catalogue.load() if entry.kind == kind)
        return next((path for path in pulled if path.is_file()), None)

    def _pin(self, path: Path) -> str | None:
        """The catalogue's hash of a file of that name in the user's folder."""
        pins = {entry.file: entry.sha256 for entry in catalogue.load() if entry.pinned}
        return pins.get(path.name) if path.parent == self._folder else None

    def _resolve(self, choice: str) -> Path:
        return Path(choice) if Path(choice).is_absolute() or self._folder is None else self._folder / choice

    def _own_folder(self) -> Path:
        if self._folder is None:
            raise ModelRejected("There is no folder for your own models.")
        self._folder.mkdir(parents=True, exist_ok=True)
        return self._folder


def _role(kind: Kind) -> Role:
    return "embed" if kind == "encoder" else "write"


def default_embedder(
    *, models_folder: Path | None = None, cache_folder: Path | None = None, host: Host, bundled: Path = WEIGHTS
) -> LlamaEmbedder:
    """The encoder in use: the user's choice, else the bundled one. Loads nothing.

    Args:
        models_folder: the user's folder of models.
        cache_folder: where hashes of files are remembered.
        host: the process that will run it.
        bundled: the installation's models.

    Raises:
        ModelNotFound: there is none; the text names the command that brings it.
    """
    shelf = Shelf(models_folder, cache=cache_folder, bundled=bundled)
    path = shelf.chosen("encoder")
    if path is None:
        raise ModelNotFound("The bundled encoder is missing; install again, or `llmrec models pull all-MiniLM-L6-v2`.")
    return LlamaEmbedder(path, host, hashes=shelf.hashes)


def default_writer(
    *, models_folder: Path | None = None, cache_folder: Path | None = None, host: Host, bundled: Path = WEIGHTS
) -> LlamaWriter:
    """The writer in use, as `default_embedder` the encoder.

    Raises:
        ModelNotFound: there is none; the text names the command that brings it.
    """
    shelf = Shelf(models_folder, cache=cache_folder, bundled=bundled)
    path = shelf.chosen("writer")
    if path is None:
        raise ModelNotFound("There is no writer; `llmrec models pull Qwen3-0.6B` brings one.")
    return LlamaWriter(path, host, hashes=shelf.hashes)
