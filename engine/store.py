"""All SQL: one SQLite file with items, the append-only event log, vectors, texts and settings.

Writes run in BEGIN IMMEDIATE transactions with synchronous=FULL, so that what is shown as saved survives a crash and
two windows on one store wait for each other instead of failing. Undo is a compensating event, never a deletion.
"""

import json
import os
import re
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from llmrec.engine.errors import StoreError, UnknownItem
from llmrec.engine.log import HALF_LIFE, LogEntry, active
from llmrec.engine.migrations import STEPS
from llmrec.engine.records import Event, Item, ItemId
from llmrec.models import FloatArray

_APPLICATION_ID = 0x4C4D5243  # "LMRC": tells our files from other programs'
_IMPORT_BATCH = 5_000
_CHUNK = 500  # parameters per IN (...)


@dataclass(frozen=True, slots=True)
class ItemColumns:
    """What ranking needs of all items, in catalogue order; n items."""

    ids: list[ItemId]
    sources: list[str]
    domains: list[str]
    published: np.ndarray[Any, np.dtype[np.float64]]
    """(n,) Unix seconds, nan where unknown."""
    hashes: list[bytes]


class Store:
    """One open database file. Methods are questions in the domain's words; safe to call from several threads."""

    def __init__(self, path: Path | None) -> None:
        """Open, and create or migrate if needed; None keeps everything in memory.

        Raises:
            StoreError: the file is foreign, damaged, locked, newer than this program, or cannot be written.
        """
        self.path = path
        self._lock = threading.RLock()
        try:
            self._db = self._connect(path)
            self._prepare()
        except sqlite3.DatabaseError as exc:
            raise _store_error(exc, path) from exc
        except OSError as exc:
            raise StoreError(f"{path}: cannot be created ({exc.strerror}). Choose another place with --db.") from exc

    # -- opening -------------------------------------------------------------------------------------------------

    @staticmethod
    def _connect(path: Path | None) -> sqlite3.Connection:
        if path is None:
            target = ":memory:"
        else:
            if path.is_dir():
                raise StoreError(f"{path}: is a folder, not a database. Give a file name with --db.")
            _create_private(path)
            target = str(path)
        return sqlite3.connect(target, timeout=5, check_same_thread=False, isolation_level=None)

    def _prepare(self) -> None:
        self._refuse_foreign()
        for pragma in (
            f"journal_mode={'WAL' if _wal_is_safe(sqlite3.sqlite_version_info) else 'TRUNCATE'}",
            "synchronous=FULL",
            "foreign_keys=ON",
            "busy_timeout=5000",
            "trusted_schema=OFF",
            "cell_size_check=ON",
            "mmap_size=0",
        ):
            self._db.execute(f"PRAGMA {pragma}")
        if self._pragma("user_version") < len(STEPS):
            self._migrate()

    def _refuse_foreign(self) -> None:
        tables = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if tables and self._pragma("application_id") != _APPLICATION_ID:
            raise StoreError(
                f"{self.path}: belongs to another program. Choose another file with --db; nothing was changed."
            )
        if self._pragma("user_version") > len(STEPS):
            raise StoreError(
                f"{self.path}: was written by a newer version of this program. Update llmrec-tui; nothing was changed."
            )

    def _pragma(self, name: str) -> int:
        return int(self._db.execute(f"PRAGMA {name}").fetchone()[0])

    def _migrate(self) -> None:
        # Imported here because an up-to-date store, the common case, must open within milliseconds.
        from sqlite_utils import Database
        from sqlite_utils.migrations import Migrations

        migrations = Migrations("llmrec")
        for name, sql in STEPS:

            def step(db: Database, sql: str = sql) -> None:
                for statement in _statements(sql):
                    db.conn.execute(statement)

            migrations(name=name)(step)
        with self._write():  # one transaction for all: a kill leaves the old schema, and two starters take turns
            migrations.apply(Database(self._db, execute_plugins=False))
            self._db.execute(f"PRAGMA application_id={_APPLICATION_ID}")
            self._db.execute(f"PRAGMA user_version={len(STEPS)}")

    @contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        """One IMMEDIATE transaction; deferred ones fail under two writers.

        Raises:
            StoreError: the disk is full, the file read-only, or another program holds it.
        """
        with self._lock:
            try:
                self._db.execute("BEGIN IMMEDIATE")
                try:
                    yield self._db
                except BaseException:
                    if self._db.in_transaction:
                        self._db.execute("ROLLBACK")
                    raise
                self._db.execute("COMMIT")
            except sqlite3.Error as exc:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise _store_error(exc, self.path) from exc

    def _rows(self, sql: str, *args: object) -> list[tuple[Any, ...]]:
        with self._lock:
            try:
                return self._db.execute(sql, args).fetchall()
            except sqlite3.Error as exc:
                raise _store_error(exc, self.path) from exc

    def close(self) -> None:
        """Close the file; harmless when already closed."""
        with self._lock:
            self._db.close()

    # -- items ---------------------------------------------------------------------------------------------------

    def import_items(self, items: Iterable[tuple[Item, bytes]]) -> tuple[int, int]:
        """Add or update items with their content hashes: all of them or, on any error, none.

        They gather in a temporary table first, so that the file is locked only for one copy at the end.

        Returns:
            Numbers of (new, updated) items.
        """
        with self._lock:
            self._db.execute("DROP TABLE IF EXISTS temp.incoming")
            self._db.execute("CREATE TEMP TABLE incoming AS SELECT * FROM item LIMIT 0")
            try:
                self._gather(items)
                return self._merge_incoming()
            finally:
                self._db.execute("DROP TABLE IF EXISTS temp.incoming")

    def _gather(self, items: Iterable[tuple[Item, bytes]]) -> None:
        insert = (
            "INSERT INTO temp.incoming(id, title, text, url, source, tags, published_at, domain, extra, content_hash)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        )
        batch: list[tuple[object, ...]] = []
        for item, content_hash in items:
            batch.append(_item_row(item, content_hash))
            if len(batch) == _IMPORT_BATCH:
                self._db.executemany(insert, batch)
                batch.clear()
        self._db.executemany(insert, batch)

    def _merge_incoming(self) -> tuple[int, int]:
        with self._write() as db:
            before = db.execute("SELECT count(*) FROM item").fetchone()[0]
            total = db.execute("SELECT count(*) FROM temp.incoming").fetchone()[0]
            # By hand, because triggers may not touch virtual tables under trusted_schema=OFF.
            db.execute(
                "INSERT INTO item_words(item_words, rowid, title, text, tags)"
                " SELECT 'delete', row, title, text, tags FROM item WHERE id IN (SELECT id FROM temp.incoming)"
            )
            db.execute(  # what a model said of the old content
                "DELETE FROM half_life WHERE item IN (SELECT n.id FROM temp.incoming n JOIN item i ON i.id = n.id"
                " WHERE i.content_hash <> n.content_hash)"
            )
            db.execute(
                """
                INSERT INTO item(id, title, text, url, source, tags, published_at, domain, extra, content_hash)
                SELECT id, title, text, url, source, tags, published_at, domain, extra, content_hash
                FROM temp.incoming WHERE true ORDER BY rowid
                ON CONFLICT(id) DO UPDATE SET title=excluded.title, text=excluded.text, url=excluded.url,
                    source=excluded.source, tags=excluded.tags, published_at=excluded.published_at,
                    domain=excluded.domain, extra=excluded.extra, content_hash=excluded.content_hash
                """
            )
            db.execute(
                "INSERT INTO item_words(rowid, title, text, tags)"
                " SELECT row, title, text, tags FROM item WHERE id IN (SELECT id FROM temp.incoming)"
            )
            new = db.execute("SELECT count(*) FROM item").fetchone()[0] - before
        return new, total - new

    def item(self, item_id: ItemId) -> Item:
        """One item.

        Raises:
            UnknownItem: no item has this id.
        """
        found = self.items([item_id])
        if not found:
            raise UnknownItem(f"no item has the id {item_id!r}. `llmrec search WORDS` finds items.")
        return found[0]

    def items(self, ids: Sequence[ItemId]) -> list[Item]:
        """The items of these ids, in their order; unknown ids are left out."""
        found: dict[ItemId, Item] = {}
        for start in range(0, len(ids), _CHUNK):
            part = ids[start : start + _CHUNK]
            marks = ",".join("?" * len(part))
            rows = self._rows(
                f"SELECT id, title, text, url, source, tags, published_at, domain, extra FROM item WHERE id IN ({marks})",  # noqa: S608, E501 - only question marks
                *part,
            )
            found.update((row[0], _item(row)) for row in rows)
        return [found[i] for i in ids if i in found]

    def all_items(self) -> Iterator[Item]:
        """Every item in catalogue order, in pages."""
        after = -1
        while True:
            rows = self._rows(
                "SELECT row, id, title, text, url, source, tags, published_at, domain, extra"
                " FROM item WHERE row > ? ORDER BY row LIMIT ?",
                after,
                _CHUNK,
            )
            if not rows:
                return
            yield from (_item(row[1:]) for row in rows)
            after = rows[-1][0]

    def openings(self, chars: int, telling: Sequence[str]) -> Iterator[tuple[tuple[str, ...], str, str]]:
        """Tags, title with so much of the text, and domain of all items, in catalogue order.

        The tags only where some of those in `telling` are among them, in any case, and the words only where the date is
        known, because to read all of all items would make up a fifth of a start.
        """
        told, after = re.compile("|".join(f'"{re.escape(tag)}"' for tag in telling), re.IGNORECASE), -1
        while rows := self._rows(
            "SELECT tags, iif(published_at IS NULL, '', title || ' ' || substr(text, 1, ?)), domain, row"
            " FROM item WHERE row > ? ORDER BY row LIMIT ?",
            chars,
            after,
            _IMPORT_BATCH,
        ):
            for tags, words, domain, _ in rows:
                yield tuple(json.loads(tags)) if told.search(tags) else (), words, domain
            after = rows[-1][3]

    def columns(self) -> ItemColumns:
        """What ranking needs of all items, in catalogue order."""
        rows = self._rows("SELECT id, source, domain, published_at, content_hash FROM item ORDER BY row")
        ids, sources, domains, published, hashes = map(list, zip(*rows, strict=True)) if rows else ([],) * 5
        return ItemColumns(ids, sources, domains, np.array(published, dtype=np.float64), hashes)

    def words(self) -> list[str]:
        """Title, text and tags of all items, in catalogue order."""
        return [text for page in self.pages_of_words() for text in page]

    def pages_of_words(self) -> Iterator[list[str]]:
        """The same, some thousands at a time."""
        after = -1
        while rows := self._rows(
            "SELECT row, title || ' ' || text || ' ' || tags FROM item WHERE row > ? ORDER BY row LIMIT ?",
            after,
            _IMPORT_BATCH,
        ):
            yield [text for _, text in rows]
            after = rows[-1][0]

    def lengths_of_words(self) -> np.ndarray[Any, np.dtype[np.int32]]:
        """(n,) characters of each of these, which tells of tags that have changed."""
        rows = self._rows("SELECT length(title) + length(text) + length(tags) + 2 FROM item ORDER BY row")
        return np.array(rows, np.int32).reshape(-1)

    def half_lives(self) -> dict[ItemId, tuple[float, str]]:
        """Seconds until an item is worth half, and who said so ("you" or a model), where somebody did."""
        judged = {item: (seconds, by) for item, seconds, by in self._rows("SELECT item, seconds, by FROM half_life")}
        return judged | {item: (seconds, "you") for item, seconds in self._half_lives_in_log().items()}

    def half_life(self, item: ItemId) -> tuple[float, str] | None:
        """The same of one item."""
        said = self._half_lives_in_log().get(item)
        if said is not None:
            return said, "you"
        rows = self._rows("SELECT seconds, by FROM half_life WHERE item = ?", item)
        return rows[0] if rows else None

    def _half_lives_in_log(self) -> dict[ItemId, float]:
        """The newest correction of each item that was neither taken back nor set to None."""
        said = self._entries(  # without the rest of the log
            "SELECT id, kind, item, at, value, undoes, payload FROM event"
            " WHERE kind = ? OR undoes IS NOT NULL ORDER BY id",
            HALF_LIFE,
        )
        newest = {entry.payload["item"]: entry.payload["seconds"] for entry in active(said)}
        return {item: seconds for item, seconds in newest.items() if seconds is not None}

    def save_half_life(self, item: ItemId, seconds: float, by: str) -> None:
        """Keep what a model said of an item; what the user says is in the log."""
        with self._write() as db:
            db.execute("INSERT OR REPLACE INTO half_life(item, seconds, by) VALUES (?, ?, ?)", (item, seconds, by))

    def domains(self) -> tuple[str, ...]:
        """The domains that have items, in the order in which they came."""
        rows = self._rows("SELECT domain FROM item GROUP BY domain ORDER BY min(row)")
        return tuple(row[0] for row in rows)

    def tag_counts(self) -> dict[str, int]:
        """How many items carry each tag."""
        return dict(self._rows("SELECT tag.value, count(*) FROM item, json_each(item.tags) AS tag GROUP BY tag.value"))

    def has_untagged(self) -> bool:
        """Whether any item has no tags."""
        return bool(self._rows("SELECT 1 FROM item WHERE tags = '[]' LIMIT 1"))

    def count_items(self) -> int:
        """Number of items."""
        return int(self._rows("SELECT count(*) FROM item")[0][0])

    def find_words(self, query: str, limit: int) -> list[tuple[ItemId, float]]:
        """Items with these words (prefixes count), best first, with BM25 scores (higher is better)."""
        terms = [term.replace('"', "") for term in query.split()]
        match = " ".join(f'"{term}"*' for term in terms if any(c.isalnum() for c in term))
        if not match:
            return []
        rows = self._rows(
            "SELECT item.id, -bm25(item_words, 4.0, 1.0, 2.0) AS score"
            " FROM item_words JOIN item ON item.row = item_words.rowid"
            " WHERE item_words MATCH ? ORDER BY score DESC LIMIT ?",
            match,
            limit,
        )
        return [(row[0], float(row[1])) for row in rows]

    # -- the log -------------------------------------------------------------------------------------------------

    def append(self, event: Event) -> int:
        """Append one event durably; returns its id."""
        return self._append(event.user, event.item, event.kind.value, event.at, event.value, payload=_noted(event))

    def append_correction(self, user: str, kind: str, payload: dict[str, Any], at: float) -> int:
        """Append a "control" or "steer" entry durably; returns its id."""
        return self._append(user, None, kind, at, None, payload=json.dumps(payload))

    def append_undo(self, user: str, undoes: int, at: float) -> int:
        """Take back an entry (also an undo, which is a redo); returns the id of the compensating entry."""
        return self._append(user, None, "undo", at, None, undoes=undoes)

    def _append(
        self,
        user: str,
        item: str | None,
        kind: str,
        at: float,
        value: float | None,
        undoes: int | None = None,
        payload: str | None = None,
    ) -> int:
        with self._write() as db:
            cursor = db.execute(
                "INSERT INTO event(user, item, kind, at, value, undoes, payload) VALUES (?, ?, ?, ?, ?, ?, ?)",
                (user, item, kind, at, value, undoes, payload),
            )
            return int(cursor.lastrowid or 0)

    def append_many(self, events: Iterable[Event]) -> int:
        """Append events: all of them or, on any error, none; returns their number."""
        before = self.count_events()
        with self._write() as db:
            db.executemany(
                "INSERT INTO event(user, item, kind, at, value, payload) VALUES (?, ?, ?, ?, ?, ?)",
                ((e.user, e.item, e.kind.value, e.at, e.value, _noted(e)) for e in events),
            )
        return self.count_events() - before

    def log(self, user: str) -> list[LogEntry]:
        """Every entry of a user, oldest first, undone ones and undos included."""
        return self._entries(
            "SELECT id, kind, item, at, value, undoes, payload FROM event WHERE user = ? ORDER BY id", user
        )

    def _entries(self, sql: str, value: str) -> list[LogEntry]:
        rows = self._rows(sql, value)
        return [
            LogEntry(row_id, kind, item, at, value, undoes, json.loads(payload) if payload else {})
            for row_id, kind, item, at, value, undoes, payload in rows
        ]

    def users(self) -> list[str]:
        """Users with at least one entry, by name."""
        return [row[0] for row in self._rows("SELECT DISTINCT user FROM event ORDER BY user")]

    def count_events(self) -> int:
        """Number of entries in the log."""
        return int(self._rows("SELECT count(*) FROM event")[0][0])

    def all_events(self) -> Iterator[Event]:
        """Every event on an item of every user that was not taken back, oldest first by user."""
        for user in self.users():
            for entry in active(self.log(user)):
                if (event := entry.event(user)) is not None:
                    yield event

    # -- vectors -------------------------------------------------------------------------------------------------

    def vectors(
        self, model: str, hashes: Sequence[bytes], dim: int
    ) -> tuple[FloatArray, np.ndarray[Any, np.dtype[np.bool_]]]:
        """Vectors of contents.

        Returns:
            Array (n, dim) with a zero row where there is none yet, and (n,) whether there is one.
        """
        matrix = np.zeros((len(hashes), dim), dtype=np.float32)
        known = np.zeros(len(hashes), dtype=np.bool_)
        if len(hashes) > 50:
            return matrix, self.read_vectors(model, hashes, matrix)
        for row, content_hash in enumerate(hashes):
            blob = self._vector(model, content_hash)
            if blob is not None and len(blob) == 4 * dim:
                matrix[row] = np.frombuffer(blob, dtype=np.float32)
                known[row] = True
        return matrix, known

    def read_vectors(
        self, model: str, hashes: Sequence[bytes], matrix: FloatArray
    ) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Put the vectors of contents into rows (n, dim) that are zero, and may lie in a file, one after the other.

        Returns:
            (n,) whether there is one.
        """
        known = np.zeros(len(hashes), dtype=np.bool_)
        rows: dict[bytes, int] = {}
        twins = [(row, first) for row, h in enumerate(hashes) if (first := rows.setdefault(h, row)) != row]
        with self._lock:
            try:
                cursor = self._db.execute("SELECT hash, vec FROM vector WHERE model = ?", (model,))
                while page := cursor.fetchmany(_CHUNK):
                    size = 4 * matrix.shape[1]
                    found = [(row, blob) for h, blob in page if (row := rows.get(h)) is not None and len(blob) == size]
                    there = [row for row, _ in found]
                    blobs = b"".join(blob for _, blob in found)
                    matrix[there] = np.frombuffer(blobs, dtype=np.float32).reshape(-1, matrix.shape[1])
                    known[there] = True
            except sqlite3.Error as exc:
                raise _store_error(exc, self.path) from exc
        for row, first in twins:
            matrix[row], known[row] = matrix[first], known[first]
        return known

    def vectors_saved(self, model: str) -> int:
        """How many vectors of a model were ever kept; a number that tells whether there are new ones."""
        return int(self.setting(f"vectors:{model}", "0"))

    def _vector(self, model: str, content_hash: bytes) -> bytes | None:
        rows = self._rows("SELECT vec FROM vector WHERE model = ? AND hash = ?", model, content_hash)
        return rows[0][0] if rows else None

    def without_vector(self, model: str, dim: int) -> list[tuple[ItemId, bytes]]:
        """Ids and content hashes of the items that have no vector (d,) of a model, newest first."""
        return self._rows(
            "SELECT id, content_hash FROM item WHERE content_hash NOT IN"
            " (SELECT hash FROM vector WHERE model = ? AND length(vec) = ?)"
            " ORDER BY coalesce(published_at, 0) DESC, row",
            model,
            4 * dim,
        )

    def covered(self, model: str) -> tuple[int, int]:
        """Number of items that have a vector of a model, and the vectors' length (0 where there is none)."""
        count, size = self._rows(
            "SELECT count(*), max(length(vector.vec)) FROM item JOIN vector ON vector.hash = item.content_hash"
            " WHERE vector.model = ?",
            model,
        )[0]
        return count, (size or 0) // 4

    def save_vectors(self, model: str, hashes: Sequence[bytes], matrix: FloatArray) -> None:
        """Keep vectors (n, d) of contents under a model's id."""
        with self._write() as db:
            db.executemany(
                "INSERT OR REPLACE INTO vector(model, hash, vec) VALUES (?, ?, ?)",
                ((model, h, v.tobytes()) for h, v in zip(hashes, np.asarray(matrix, np.float32), strict=True)),
            )
            db.execute(
                "INSERT INTO setting(key, value) VALUES (?, ?) ON CONFLICT(key) DO UPDATE SET"
                " value = CAST(CAST(value AS INTEGER) + CAST(excluded.value AS INTEGER) AS TEXT)",
                (f"vectors:{model}", str(len(hashes))),
            )

    # -- texts and settings --------------------------------------------------------------------------------------

    def written(self, item: ItemId, model: str, state: str, content_hash: bytes) -> dict[str, Any] | None:
        """The texts kept for an item, a model and a state of interests, unless the item has changed since."""
        rows = self._rows(
            "SELECT payload FROM written WHERE item = ? AND model = ? AND state = ? AND content_hash = ?",
            item,
            model,
            state,
            content_hash,
        )
        return json.loads(rows[0][0]) if rows else None

    def save_written(self, item: ItemId, model: str, state: str, content_hash: bytes, payload: dict[str, Any]) -> None:
        """Keep the texts of an item."""
        with self._write() as db:
            db.execute(
                "INSERT OR REPLACE INTO written(item, model, state, content_hash, payload) VALUES (?, ?, ?, ?, ?)",
                (item, model, state, content_hash, json.dumps(payload, ensure_ascii=False)),
            )

    def all_written(self) -> Iterator[dict[str, Any]]:
        """Every kept text with its item and model."""
        for item, model, payload in self._rows("SELECT item, model, payload FROM written ORDER BY item, model, state"):
            yield {"item": item, "model": model, **json.loads(payload)}

    def setting(self, key: str, default: str = "") -> str:
        """A setting, or the default."""
        rows = self._rows("SELECT value FROM setting WHERE key = ?", key)
        return rows[0][0] if rows else default

    def set_setting(self, key: str, value: str) -> None:
        """Keep a setting."""
        with self._write() as db:
            db.execute("INSERT OR REPLACE INTO setting(key, value) VALUES (?, ?)", (key, value))

    # -- care ----------------------------------------------------------------------------------------------------

    def backup(self, target: Path) -> None:
        """A consistent copy, also while another window writes.

        Raises:
            StoreError: the target exists or cannot be written.
        """
        if target.exists():
            raise StoreError(f"{target}: already exists. Choose another name; nothing was changed.")
        try:
            _create_private(target)
            copy = sqlite3.connect(target)
            with self._lock, copy:
                self._db.backup(copy)
            copy.close()
        except (sqlite3.Error, OSError) as exc:
            raise StoreError(f"{target}: the backup could not be written ({exc}).") from exc

    def check(self) -> str:
        """Look for damage; "ok", or the first that SQLite finds."""
        return str(self._rows("PRAGMA quick_check(1)")[0][0])

    def journal_mode(self) -> str:
        """How commits are made safe: "wal" or "truncate", by the version of SQLite."""
        return str(self._rows("PRAGMA journal_mode")[0][0])


def _statements(sql: str) -> Iterator[str]:
    """The single statements of a script; a trigger's inner semicolons do not end it."""
    buffer = ""
    for line in sql.splitlines(keepends=True):
        buffer += line
        if sqlite3.complete_statement(buffer):
            yield buffer.strip()
            buffer = ""


def _create_private(path: Path) -> None:
    """Make the file, readable by its owner alone, before SQLite opens it."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))


def _wal_is_safe(version: tuple[int, int, int]) -> bool:
    """Whether this SQLite is free of the WAL-reset bug that two writers can hit (3.7.0 to 3.51.2)."""
    fixed_branches = {(3, 44): 6, (3, 50): 7}
    major_minor = version[:2]
    return version >= (3, 51, 3) or version[2] >= fixed_branches.get(major_minor, 1_000)


def _store_error(exc: sqlite3.Error, path: Path | None) -> StoreError:
    """SQLite's words turned into what to do."""
    text = str(exc)
    advice = {
        "file is not a database": "is not a database. Choose another file with --db; nothing was changed.",
        "database disk image is malformed": "is damaged. Restore a backup, or move the file away to start anew.",
        "database is locked": "is held by another program. Close it and try again.",
        "attempt to write a readonly database": "is read-only. Make it and its folder writable, or use --db.",
        "unable to open database file": "cannot be opened. Is its folder there and writable? Or use --db.",
        "database or disk is full": "could not grow: the disk is full. Free some space; what was saved before is safe.",
    }
    for words, todo in advice.items():
        if words in text:
            return StoreError(f"{path}: {todo}")
    return StoreError(f"{path}: SQLite says: {text}")


def _noted(event: Event) -> str | None:
    """What few events have, as the payload of their line."""
    return json.dumps({"place": event.place}) if event.place is not None else None


def _item_row(item: Item, content_hash: bytes) -> tuple[object, ...]:
    return (
        item.id,
        item.title,
        item.text,
        item.url,
        item.source,
        json.dumps(item.tags, ensure_ascii=False),
        item.published_at,
        item.domain,
        json.dumps(item.extra, ensure_ascii=False),
        content_hash,
    )


def _item(row: tuple[Any, ...]) -> Item:
    item_id, title, text, url, source, tags, published_at, domain, extra = row
    more = json.loads(extra) if extra != "{}" else {}  # most have none, and start reads them all
    return Item(item_id, title, text, url, source, tuple(json.loads(tags)), published_at, domain, more)
