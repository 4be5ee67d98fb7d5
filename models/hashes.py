"""SHA-256 of files, remembered by size and time of change so that an id costs nothing at start-up."""

import hashlib
import json
import os
import tempfile
from pathlib import Path


def sha256_of(path: Path) -> str:
    """Hex digest of a whole file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class HashCache:
    """Digests of files that have not changed, kept in one small JSON file.

    The key is the resolved path; an entry counts only while size and mtime (ns) are the same. A missing,
    damaged or unwritable cache costs time, nothing else.
    """

    def __init__(self, path: Path | None):
        self._path = path

    def digest(self, path: Path) -> str:
        """SHA-256 of the file, from the cache when size and time of change are the same."""
        stat = path.stat()
        key, seen = str(path.resolve()), [stat.st_size, stat.st_mtime_ns]
        entries = self._read()
        known = entries.get(key)
        if isinstance(known, list) and len(known) == 3 and known[:2] == seen and isinstance(known[2], str):
            return known[2]
        digest = sha256_of(path)
        self._write({**entries, key: [*seen, digest]})
        return digest

    def _read(self) -> dict[str, object]:
        if self._path is None:
            return {}
        try:
            entries = json.loads(self._path.read_text("utf-8"))
        except (OSError, ValueError, RecursionError):
            return {}
        return entries if isinstance(entries, dict) else {}

    def _write(self, entries: dict[str, object]) -> None:
        if self._path is None:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self._path.parent, prefix=".hashes-")
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(entries, file)
            os.replace(name, self._path)
        except OSError:
            return
