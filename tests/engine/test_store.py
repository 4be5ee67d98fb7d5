"""The store: what is saved stays saved, two windows may write at once, and foreign files are left alone."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmrec.engine import Event, Item, Kind, StoreError
from llmrec.engine.importers import content_hash
from llmrec.engine.log import LogEntry, active
from llmrec.engine.migrations import STEPS
from llmrec.engine.store import Store, _wal_is_safe

ITEM = Item("a", "Tide tables", "How to read them", tags=("sea",))


def _add(store: Store, *items: Item) -> tuple[int, int]:
    return store.import_items((i, content_hash(i)) for i in items)


def test_everything_survives_closing_and_opening(tmp_path: Path) -> None:
    store = Store(tmp_path / "x.db")
    _add(store, ITEM)
    store.append(Event("me", "a", Kind.LIKE, 5.0, place=3))
    store.append_many([Event("me", "a", Kind.SAVE, 6.0)])
    store.set_setting("domain", "shop")
    store.close()
    store = Store(tmp_path / "x.db")
    assert store.item("a") == Item("a", "Tide tables", "How to read them", tags=("sea",))
    assert list(store.all_events()) == [
        Event("me", "a", Kind.LIKE, 5.0, id=1, place=3),
        Event("me", "a", Kind.SAVE, 6.0, id=2),
    ]
    assert store.setting("domain") == "shop"
    assert store.check() == "ok"


def test_the_file_is_private_and_commits_are_durable(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        store = Store(tmp_path / "deep" / "x.db")
    finally:
        os.umask(before)
    assert (tmp_path / "deep" / "x.db").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "deep").stat().st_mode & 0o777 == 0o700
    assert store._db.execute("PRAGMA synchronous").fetchone() == (2,)
    assert store.journal_mode() == ("wal" if _wal_is_safe(sqlite3.sqlite_version_info) else "truncate")


@pytest.mark.parametrize(
    ("version", "safe"),
    [((3, 40, 1), False), ((3, 44, 5), False), ((3, 44, 6), True), ((3, 45, 1), False), ((3, 50, 7), True),
     ((3, 51, 2), False), ((3, 51, 3), True), ((3, 53, 0), True)],
)  # fmt: skip
def test_wal_is_used_only_where_its_reset_bug_is_fixed(version: tuple[int, int, int], safe: bool) -> None:
    assert _wal_is_safe(version) is safe


def test_an_import_that_fails_midway_changes_nothing() -> None:
    store = Store(None)

    def items() -> object:
        yield ITEM, content_hash(ITEM)
        raise RuntimeError("the file broke")

    with pytest.raises(RuntimeError):
        store.import_items(items())  # type: ignore[arg-type]
    assert store.count_items() == 0


def test_the_log_cannot_be_rewritten() -> None:
    store = Store(None)
    store.append(Event("me", "a", Kind.LIKE, 5.0))
    for sql in ("UPDATE event SET kind = 'skip'", "DELETE FROM event"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            store._db.execute(sql)


class TestBadFiles:
    """Files that are not ours, or not usable, are named in one line and left as they are."""

    def test_another_programs_database(self, tmp_path: Path) -> None:
        other = sqlite3.connect(tmp_path / "x.db")
        other.execute("CREATE TABLE t(x)")
        other.close()
        before = (tmp_path / "x.db").read_bytes()
        with pytest.raises(StoreError, match="belongs to another program"):
            Store(tmp_path / "x.db")
        assert (tmp_path / "x.db").read_bytes() == before

    def test_no_database_at_all(self, tmp_path: Path) -> None:
        (tmp_path / "x.db").write_bytes(b"hello world, this is certainly not a database" * 100)
        with pytest.raises(StoreError, match="is not a database"):
            Store(tmp_path / "x.db")

    def test_a_newer_version(self, tmp_path: Path) -> None:
        store = Store(tmp_path / "x.db")
        store._db.execute(f"PRAGMA user_version={len(STEPS) + 1}")
        store.close()
        with pytest.raises(StoreError, match="newer version"):
            Store(tmp_path / "x.db")

    def test_a_folder(self, tmp_path: Path) -> None:
        with pytest.raises(StoreError, match="is a folder"):
            Store(tmp_path)

    def test_a_place_that_cannot_be_written(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(StoreError, match="cannot be created"):
            Store(tmp_path / "file" / "x.db")

    def test_a_truncated_database(self, tmp_path: Path) -> None:
        store = Store(tmp_path / "x.db")
        _add(store, *(Item(str(i), "title " * 20, "text " * 200) for i in range(200)))
        store.close()
        whole = (tmp_path / "x.db").read_bytes()
        (tmp_path / "x.db").write_bytes(whole[: len(whole) // 2])
        with pytest.raises(StoreError, match=r"is damaged|not a database"):
            list(Store(tmp_path / "x.db").all_items())

    def test_a_full_disk_loses_nothing(self, tmp_path: Path) -> None:
        store = Store(tmp_path / "x.db")
        _add(store, ITEM)
        pages = store._db.execute("PRAGMA page_count").fetchone()[0]
        store._db.execute(f"PRAGMA max_page_count={pages + 1}")
        with pytest.raises(StoreError, match="disk is full"):
            _add(store, *(Item(str(i), "t", "x" * 5_000) for i in range(100)))
        assert store.count_items() == 1
        store._db.execute("PRAGMA max_page_count=1000000")
        assert _add(store, *(Item(str(i), "t", "x" * 5_000) for i in range(100))) == (100, 0)


CLICKER = textwrap.dedent(
    """
    import sys
    from pathlib import Path
    from llmrec.engine.records import Event, Kind
    from llmrec.engine.store import Store
    store, user, n = Store(Path(sys.argv[1])), sys.argv[2], int(sys.argv[3])
    for k in range(n):
        store.append(Event(user, "a", Kind.LIKE, float(k)))
        print(k, flush=True)
    """
)


def _clicker(db: Path, user: str, n: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", CLICKER, str(db), user, str(n)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_no_acknowledged_event_is_lost_when_killed(tmp_path: Path) -> None:
    rng = random.Random(7)
    acknowledged_in_all = 0
    for run in range(8):
        db = tmp_path / "x.db"
        process = _clicker(db, f"u{run}", 10_000)
        assert process.stdout is not None
        acknowledged = [int(process.stdout.readline())]
        time.sleep(rng.uniform(0, 0.05))
        process.send_signal(signal.SIGKILL)
        acknowledged += [int(line) for line in process.communicate()[0].split()]
        store = Store(db)
        stored = [int(e.at) for e in store.log(f"u{run}")]
        assert stored[: len(acknowledged)] == acknowledged
        assert len(stored) <= len(acknowledged) + 1
        assert store.check() == "ok"
        store.close()
        acknowledged_in_all += len(acknowledged)
    assert acknowledged_in_all > 8  # the clickers did click


def test_two_windows_write_to_one_store(tmp_path: Path) -> None:
    db = tmp_path / "x.db"  # does not exist yet: both create it at once
    processes = [_clicker(db, f"u{k}", 150) for k in range(2)]
    outputs = [p.communicate()[0].split() for p in processes]
    assert [p.returncode for p in processes] == [0, 0]
    assert [len(o) for o in outputs] == [150, 150]
    store = Store(db)
    assert [len(store.log(f"u{k}")) for k in range(2)] == [150, 150]


@given(st.lists(st.one_of(st.none(), st.integers(0, 20)), max_size=30))
def test_undo_of_undo_is_redo_however_deep(plan: list[int | None]) -> None:
    """Entries count unless something that counts takes them back: checked against the plain definition."""
    takes_back = [target if target is not None and target < k else None for k, target in enumerate(plan)]
    entries = [LogEntry(k, "like", None, 0.0, None, target) for k, target in enumerate(takes_back)]

    def counts(entry: LogEntry) -> bool:
        return not any(later.undoes == entry.id and counts(later) for later in entries[entry.id + 1 :])

    assert [e.id for e in active(entries)] == [e.id for e in entries if e.undoes is None and counts(e)]
