"""The engine over catalogues too large for exact search: it finds the same, through the index that suits them."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Event

import numpy as np
import pytest
from click.testing import CliRunner, Result
from conftest import NOW, Clock

from llmrec.engine import Engine, Item, ItemId, Kind, LlmrecError, View, cli_output, facade, index, policies, wide
from llmrec.engine.cli import main
from llmrec.engine.codes import Codes
from llmrec.engine.index import ExactIndex, GraphIndex, RescoredIndex
from llmrec.engine.policies.shortlist import Shortlist
from llmrec.engine.wide import WideCatalogue
from llmrec.models.hashing import HashingEmbedder

WORDS = [f"w{k}" for k in range(40)]


def items(n: int = 300) -> list[Item]:
    rng = np.random.default_rng(0)
    return [Item(ItemId(f"i{k}"), " ".join(rng.choice(WORDS, 6)), f"item {k}") for k in range(n)]


@pytest.fixture
def open_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Engine]:
    """Open one store on disk again and again, with its cache beside it."""
    monkeypatch.setenv("LLMREC_DATA_DIR", str(tmp_path))

    def opened() -> Engine:
        from llmrec.engine.store import Store

        return Engine(Store(tmp_path / "x.db"), HashingEmbedder(), None, clock=Clock(NOW), cache=tmp_path / "cache")

    return opened


def fill(engine: Engine) -> None:
    engine.add_items(items())
    list(engine.index())


def found(engine: Engine) -> list[list[str]]:
    return [[hit.id for hit in engine.search(f"{a} {b}", 20)] for a, b in (("w1", "w2"), ("w7", "w30"))]


def kind(engine: Engine) -> type:
    return type(engine.items_in_memory.catalogue.index)


def test_the_size_of_the_catalogue_chooses(open_store: Callable[[], Engine], monkeypatch: pytest.MonkeyPatch) -> None:
    with open_store() as engine:
        fill(engine)
        assert kind(engine) is ExactIndex
        exactly = found(engine)
    monkeypatch.setattr(index, "EXACT_UP_TO", 100)
    with open_store() as engine:
        assert kind(engine) is RescoredIndex
        assert found(engine) == exactly
        engine.record("me", ItemId("i3"), Kind.LIKE)
        assert len(engine.steer("me", "more w1").ids) == 299


def test_a_large_catalogue_is_ranked_as_a_small_one(
    open_store: Callable[[], Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    def ranked(engine: Engine) -> list[list[str]]:
        lists = [engine.record("me", ItemId(i), Kind.LIKE).ids[:10] for i in ("i3", "i40", "i77")]
        return [*lists, engine.undo("me").ids[:10], engine.steer("me", "more w1").ids[:10]]

    with open_store() as engine:
        fill(engine)
        exactly = ranked(engine)
        for _ in range(3):
            engine.undo("me")
    monkeypatch.setattr(index, "EXACT_UP_TO", 100)
    with open_store() as engine:
        assert isinstance(engine.items_in_memory.catalogue, WideCatalogue)
        found = ranked(engine)
        assert found[1] == found[3], "an undo is exact"
        for own, other in zip(found, exactly, strict=True):
            assert len(set(own) & set(other)) >= 9  # eight bits may swap what is alike
        assert engine.interests("me")[0].words
        why = engine.why("me", ItemId(found[-1][0]))
        assert sum(reason.amount for reason in why.reasons) == pytest.approx(why.score, abs=1e-3)


def test_what_is_kept_of_a_large_catalogue_serves_until_it_changes(
    open_store: Callable[[], Engine], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def kept() -> list[Path]:
        return list((tmp_path / "cache").glob("wide-*"))

    monkeypatch.setattr(index, "EXACT_UP_TO", 100)
    with open_store() as engine:
        fill(engine)
        before = list(engine.record("me", ItemId("i3"), Kind.LIKE).ids)
        (place,) = kept()
        assert isinstance(engine.items_in_memory.catalogue.vectors, np.memmap)
    made = (place / "codes.npy").stat().st_mtime_ns
    with open_store() as engine:
        assert list(engine.view("me").ids) == before
        assert (place / "codes.npy").stat().st_mtime_ns == made
    (place / "codes.npy").write_bytes(b"no array")
    with open_store() as engine:
        assert list(engine.view("me").ids) == before, "damaged is as good as absent"
        engine.add_items([Item(ItemId("new"), "w1 w2 w1 w2")])
        list(engine.index())
        assert len(engine.view("me").ids) == 300
        assert len(kept()) == 1
        assert kept() != [place]


def test_a_narrow_view_of_a_large_catalogue_is_ranked_among_its_own(
    open_store: Callable[[], Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    narrow = [View("small"), View(query="w3")]

    def ranked(engine: Engine) -> list[list[str]]:
        for liked in ("i3", "i40", "i77"):
            engine.record("me", ItemId(liked), Kind.LIKE)
        return [list(engine.view("me", view).ids) for view in narrow]

    with open_store() as engine:
        fill(engine)
        engine.add_items(replace(item, id=ItemId(f"s{item.id}"), domain="small") for item in items(340)[300:])
        list(engine.index())
        exactly = ranked(engine)
        for _ in range(3):
            engine.undo("me")
    monkeypatch.setattr(index, "EXACT_UP_TO", 100)
    monkeypatch.setattr(wide, "SAMPLE", 25)
    monkeypatch.setattr(policies, "Shortlist", partial(Shortlist, candidates=24))
    with open_store() as engine:
        found = ranked(engine)
        everything = list(engine.view("me").ids)
        for own, other, view in zip(found, exactly, narrow, strict=True):
            assert set(own) == set(other)
            assert len(set(own[:10]) & set(other[:10])) >= 9
            why = engine.why("me", ItemId(own[0]), view=view)
            assert why.rank == 1
            assert sum(reason.amount for reason in why.reasons) == pytest.approx(why.score, abs=1e-3)
        assert list(engine.view("me").ids) == everything, "looking elsewhere changes nothing"


def test_what_a_large_catalogue_needs_is_made_under_a_bar_and_only_once(
    open_store: Callable[[], Engine], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(index, "EXACT_UP_TO", 100)
    with open_store() as engine:
        engine.add_items(items())
        made = [progress for progress in engine.index() if progress.what == "catalogue"]
        assert [progress.done for progress in made] == sorted(progress.done for progress in made)
        assert made[-1].done == made[-1].total == 300
        assert not list(engine.prepare())
    with open_store() as engine:
        assert not list(engine.prepare())
        engine.add_items([Item(ItemId("new"), "w1 w2")])
        stopped = Event()
        assert next(engine.prepare(stopped)).total == 301
        for progress in engine.prepare(stopped):
            assert progress.done == 0
            stopped.set()
        assert not list((tmp_path / "cache").glob("*.part"))
        assert "new" in engine.view("me").ids


def test_what_is_imported_elsewhere_meanwhile_comes_next_time(
    open_store: Callable[[], Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index, "EXACT_UP_TO", 100)
    with open_store() as engine, open_store() as other:
        engine.add_items(items())
        work = engine.prepare()
        next(work)
        other.add_items([Item(ItemId("late"), "w1 w2")])
        assert [progress.done for progress in work][-1] == 300
        assert "late" not in engine.view("me").ids
    with open_store() as engine:
        assert "late" in engine.view("me").ids


def test_import_makes_a_large_catalogue_ready(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    shown: list[tuple[str, int, int]] = []

    @contextmanager
    def bar(what: str) -> Iterator[Callable[[int, int], None]]:
        yield lambda done, total: shown.append((what, done, total))

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(main, ["--db", str(tmp_path / "z.db"), *arguments], catch_exceptions=False)

    monkeypatch.setattr(index, "EXACT_UP_TO", 100)
    monkeypatch.setattr(cli_output, "progress_bar", bar)
    monkeypatch.setattr(facade, "_installed_encoder", lambda paths, host: (HashingEmbedder(), ""))
    lines = [json.dumps({"id": item.id, "title": item.title}) for item in items()]
    (tmp_path / "things.jsonl").write_text("\n".join(lines))
    ran = run("import", str(tmp_path / "things.jsonl"))
    assert "300 new" in ran.output
    assert "300 vectors made" in ran.output
    assert [step for step in shown if step[0] == "catalogue"][-1] == ("catalogue", 300, 300)
    shown.clear()
    assert "w1" in run("recommend", "--plain").output
    assert shown == [], "nothing is left to be made"


def test_a_large_catalogue_that_grows_keeps_what_it_has(
    open_store: Callable[[], Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index, "EXACT_UP_TO", 100)

    def codes(engine: Engine) -> Codes:
        catalogue = engine.items_in_memory.catalogue
        assert isinstance(catalogue, WideCatalogue)
        return catalogue.codes

    with open_store() as engine:
        fill(engine)
        before = codes(engine)
        engine.add_items([Item(ItemId(f"n{k}"), "rare tide tables", "rare rare") for k in range(20)])
        engine.add_items([Item(ItemId("i7"), "other words", "w1 w1 w1")])
        list(engine.index())
        after = codes(engine)
        same = np.arange(300) != 7
        assert np.array_equal(after.codes[:300][same], before.codes[same])
        assert not np.array_equal(after.codes[7], before.codes[7])
        assert list(after.words.vocabulary) == list(before.words.vocabulary)
        assert int(after.fitted) == 299
        assert np.allclose(np.linalg.norm(engine.items_in_memory.catalogue.vectors, axis=1), 1, atol=1e-5)
        assert engine.search("rare tide tables", 1)[0].id.startswith("n")
    with open_store() as engine:
        assert not list(engine.prepare()), "kept as it has grown"
        engine.add_items([Item(ItemId(f"m{k}"), "rare tide tables", "rare rare") for k in range(80)])
        list(engine.index())
        assert "rare" in codes(engine).words.vocabulary, "after much growth all is fitted again"
        assert int(codes(engine).fitted) == 400


def test_a_graph_is_built_when_told_to_and_serves_until_the_items_change(open_store: Callable[[], Engine]) -> None:
    pytest.importorskip("usearch")
    with open_store() as engine:
        fill(engine)
        exactly = found(engine)
        file = engine.build_graph()
        assert kind(engine) is GraphIndex
        assert found(engine) == exactly
    with open_store() as engine:
        assert kind(engine) is GraphIndex
        assert found(engine) == exactly
        engine.add_items([Item(ItemId("new"), "w1 w2 w1 w2")])
        list(engine.index())
        assert kind(engine) is ExactIndex
        assert engine.search("w1 w2", 1)[0].id == "new"
        assert engine.build_graph() != file
        assert not file.exists(), "one graph per store"
        assert engine.search("w1 w2", 1)[0].id == "new"


def test_a_damaged_graph_is_as_good_as_none(open_store: Callable[[], Engine]) -> None:
    pytest.importorskip("usearch")
    with open_store() as engine:
        fill(engine)
        exactly, file = found(engine), engine.build_graph()
    file.write_bytes(b"no graph")
    with open_store() as engine:
        assert kind(engine) is ExactIndex
        assert found(engine) == exactly
        assert not file.exists()


def test_without_the_extra_the_command_says_what_to_install(
    open_store: Callable[[], Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "usearch.index", None)
    with open_store() as engine:
        fill(engine)
        with pytest.raises(LlmrecError, match=r"pip install .*usearch"):
            engine.build_graph()
        assert found(engine)


def test_nothing_is_kept_beside_a_store_in_memory(engine: Engine) -> None:
    with pytest.raises(LlmrecError, match="in memory keeps no index"):
        engine.build_graph()


def test_the_command(tmp_path: Path) -> None:
    pytest.importorskip("usearch")

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(main, ["--db", str(tmp_path / "y.db"), *arguments], catch_exceptions=False)

    (tmp_path / "things.jsonl").write_text('{"title": "Tide tables"}\n{"title": "Knots"}\n')
    run("import", str(tmp_path / "things.jsonl"))
    ran = run("index", "--graph")
    assert ran.exit_code == 0
    assert "graph of 2 items: " in ran.output
    assert Path(ran.output.strip().splitlines()[-1].split(": ", 1)[1]).is_file()
