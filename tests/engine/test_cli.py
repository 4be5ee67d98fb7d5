"""`llmrec` as scripts use it: formats, exit codes, one clear line on errors."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from llmrec.engine import Engine, Item, ItemId, Progress
from llmrec.engine.cli import SECTIONS, main
from llmrec.engine.importers import counted
from llmrec.engine.wording import count

ITEMS = [
    {"id": "s1", "title": "Tide tables", "text": "How sailors read the tide. A book of the sea.", "tags": ["sea"]},
    {"id": "s2", "title": "Knots at sea", "text": "Rope and sail, and the tide of the sea.", "tags": ["sea"]},
    {"id": "b1", "title": "Sourdough", "text": "Flour, water and an oven make bread.", "tags": ["bread"]},
]
EVENTS = [
    {"user": "me", "item": "s1", "kind": "open", "at": "2020-01-01T00:00:00Z", "value": None, "place": 7},
    {"user": "me", "item": "s1", "kind": "like", "at": "2020-01-01T00:00:00Z", "value": 4.5},
]


@pytest.fixture(autouse=True)
def _words_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """No model: the hashing of words stands in, as on a machine without one."""
    from llmrec.engine import facade
    from llmrec.models.hashing import HashingEmbedder

    monkeypatch.setattr(facade, "_installed_encoder", lambda *_: (HashingEmbedder(), "similarity by words only"))


@pytest.fixture
def run(tmp_path: Path):  # type: ignore[no-untyped-def]
    def run(*args: str, code: int = 0) -> Result:
        result = CliRunner().invoke(main, ["--db", str(tmp_path / "x.db"), *args], catch_exceptions=False)
        assert result.exit_code == code, result.output + result.stderr
        return result

    return run


@pytest.fixture
def filled(run, tmp_path: Path):  # type: ignore[no-untyped-def]
    (tmp_path / "i.jsonl").write_text("\n".join(map(json.dumps, ITEMS)))
    (tmp_path / "e.jsonl").write_text("\n".join(map(json.dumps, EVENTS)))
    run("import", str(tmp_path / "i.jsonl"))
    run("events", str(tmp_path / "e.jsonl"))
    return run


def test_recommend_gives_the_contracts_json(filled) -> None:  # type: ignore[no-untyped-def]
    rows = json.loads(filled("recommend", "--json", "--why").stdout)
    assert [row["rank"] for row in rows] == [1, 2]
    assert rows[0]["id"] == "s2"
    assert set(rows[0]) == {"rank", "id", "title", "score", "reasons"}
    assert sum(r["amount"] for r in rows[0]["reasons"]) == pytest.approx(rows[0]["score"], abs=1e-4)


def test_seen_items_come_back_on_request(filled) -> None:  # type: ignore[no-untyped-def]
    rows = json.loads(filled("recommend", "--json", "--seen", "-n", "3", "--model", "essay").stdout)
    assert {row["id"] for row in rows} == {"s1", "s2", "b1"}


def test_logging_and_undo(filled) -> None:  # type: ignore[no-untyped-def]
    assert "Sourdough" in filled("log", "like", "b1").stdout
    assert [row["id"] for row in json.loads(filled("recommend", "--json").stdout)] == ["s2"]
    assert "undone: like" in filled("undo").stdout
    assert len(json.loads(filled("recommend", "--json").stdout)) == 2
    assert "redone" in filled("redo").stdout


def test_why_names_typed_words_as_what_the_rank_hangs_on(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "i.jsonl").write_text("\n".join(map(json.dumps, ITEMS)))
    run("import", str(tmp_path / "i.jsonl"))
    run("steer", "more", "sourdough")
    assert "without the words you typed: rank 1 -> " in run("why", "b1").stdout


def test_why_write_interests_search(filled) -> None:  # type: ignore[no-untyped-def]
    why = json.loads(filled("why", "s2", "--json").stdout)
    assert sum(r["amount"] for r in why["reasons"]) == pytest.approx(why["score"], abs=1e-4)
    written = json.loads(filled("write", "s1", "--json", "-k", "2").stdout)
    assert sum(candidate["by"] == "item" for candidate in written["candidates"]) == 2
    assert written["model"] is None
    assert sum(c["p"] for c in written["candidates"]) == pytest.approx(1, abs=1e-5)
    assert json.loads(filled("interests", "--json").stdout)[0]["words"][0] == "sea"
    assert json.loads(filled("search", "knots", "--json").stdout)[0]["id"] == "s2"


def test_export_reads_back_as_it_was(filled, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    lines = [json.loads(line) for line in filled("export", "--items").stdout.splitlines()]
    assert [(line["id"], line["title"], line["tags"]) for line in lines] == [
        (i["id"], i["title"], i["tags"]) for i in ITEMS
    ]
    events = [json.loads(line) for line in filled("export", "--events").stdout.splitlines()]
    assert events == EVENTS
    (tmp_path / "again.jsonl").write_text(filled("export").stdout)
    assert filled("import", str(tmp_path / "again.jsonl")).stdout.startswith("0 new and 3 updated")


def test_interests_are_corrected_by_command(filled) -> None:  # type: ignore[no-untyped-def]
    leader = json.loads(filled("interests", "--json").stdout)[0]["id"]
    filled("snooze", leader, "--days", "7")
    assert json.loads(filled("interests", "--json").stdout)[0]["state"].startswith("snoozed")
    filled("undo")
    assert json.loads(filled("interests", "--json").stdout)[0]["state"] == ""
    filled("steer", "more", "bread")
    assert len(json.loads(filled("interests", "--json").stdout)) == 2


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("log", "like", "zz"), "no item has the id 'zz'"),
        (("why", "zz"), "no item has the id 'zz'"),
        (("write", "zz"), "no item has the id 'zz'"),
        (("boost", "zz"), "no interest is named by 'zz'"),
        (("steer", "sailing"), "does not begin with more, less or not"),
    ],
)
def test_errors_are_one_line_and_exit_1(args: tuple[str, ...], message: str, filled) -> None:  # type: ignore[no-untyped-def]
    result = filled(*args, code=1)
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
    assert "Traceback" not in result.stderr


def test_a_bad_file_changes_nothing(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "bad.jsonl").write_text('{"title": "ok"}\n{"oops\n')
    result = run("import", str(tmp_path / "bad.jsonl"), code=1)
    assert "bad.jsonl, line 2: is not JSON" in result.stderr
    assert json.loads(run("recommend", "--json").stdout) == []
    skipped = run("import", "--skip-bad", str(tmp_path / "bad.jsonl"))
    assert "skipped: bad.jsonl, line 2" in skipped.stderr
    assert skipped.stdout.startswith("1 new")


def test_usage_errors_exit_2(run) -> None:  # type: ignore[no-untyped-def]
    run("recommend", "-n", "0", code=2)
    run("log", "adore", "x", code=2)
    run("recommend", "--as-of", "soon", code=2)


def test_help_names_every_command_once_and_cuts_no_sentence(run) -> None:  # type: ignore[no-untyped-def]
    assert sorted(name for names in SECTIONS.values() for name in names) == sorted(main.commands)
    shown = run("--help").stdout
    assert "..." not in shown.partition("[ARGS]...")[2]
    assert all(f"\n  {name} " in shown for name in main.commands)


def test_only_snooze_is_asked_for_how_long(filled) -> None:  # type: ignore[no-untyped-def]
    leader = json.loads(filled("interests", "--json").stdout)[0]["id"]
    filled("boost", leader, "--days", "7", code=2)
    assert "--days" in filled("snooze", "--help").stdout


def test_a_domain_that_is_not_there_is_an_error_that_names_those_that_are(filled) -> None:  # type: ignore[no-untyped-def]
    assert "there are items" in filled("recommend", "--domain", "shop", code=1).stderr
    assert json.loads(filled("recommend", "--domain", "items", "--json").stdout)


def test_one_is_written_as_one(filled) -> None:  # type: ignore[no-untyped-def]
    filled("log", "like", "b1")
    assert "me has 2 moments" in filled("report", code=1).stderr
    filled("undo")
    assert "me has 1 moment with" in filled("report", code=1).stderr
    assert [count(n, "item") for n in range(3)] == ["0 items", "1 item", "2 items"]


def test_a_stop_while_vectors_are_made_says_what_is_kept_and_how_to_go_on(  # type: ignore[no-untyped-def]
    run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object) -> Iterator[Progress]:
        yield Progress(1, 3, "vectors")
        raise KeyboardInterrupt

    monkeypatch.setattr(Engine, "index", stopped)
    (tmp_path / "i.jsonl").write_text("\n".join(map(json.dumps, ITEMS)))
    result = run("import", str(tmp_path / "i.jsonl"), code=1)
    assert result.stdout.startswith("3 new")
    assert result.stderr == "llmrec: stopped; what is made is kept, and `llmrec index` makes the rest.\n"


def test_bars_count_what_is_read_and_leave_nothing_in_a_log(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    heard: list[int] = []
    items = [Item(ItemId(str(n)), "Title") for n in range(1_001)]
    assert list(counted(items, heard.append)) == items
    assert heard == [500, 1_000, 1_001]
    (tmp_path / "i.jsonl").write_text("\n".join(map(json.dumps, ITEMS)))
    assert run("import", str(tmp_path / "i.jsonl")).stderr == ""


def test_paths_follow_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "xdg"))
    shown = json.loads(CliRunner().invoke(main, ["paths", "--json"]).stdout)
    assert shown["database"] == str(tmp_path / "xdg" / "llmrec" / "llmrec.db")
    monkeypatch.setenv("LLMREC_DATA_DIR", str(tmp_path / "own"))
    shown = json.loads(CliRunner().invoke(main, ["paths", "--json"]).stdout)
    assert shown["database"] == str(tmp_path / "own" / "llmrec.db")


def test_backup_and_reset(filled, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    filled("backup", str(tmp_path / "copy.db"))
    filled("backup", str(tmp_path / "copy.db"), code=1)
    filled("reset", "--yes")
    assert not (tmp_path / "x.db").exists()
    copied = CliRunner().invoke(main, ["--db", str(tmp_path / "copy.db"), "recommend", "--json"])
    assert len(json.loads(copied.stdout)) == 2


def test_doctor_finds_no_network_asked_for(filled) -> None:  # type: ignore[no-untyped-def]
    found = {row["name"]: row for row in json.loads(filled("doctor", "--airgap", "--json").stdout)}
    assert found["network"]["ok"]
    assert found["store"]["ok"]
    assert "words only" in found["encoder"]["found"]


def test_plain_output_says_one_thing_a_line(filled) -> None:  # type: ignore[no-untyped-def]
    assert filled("recommend", "--plain").stdout.startswith("rank: 1; id: s2; title: Knots at sea; score: ")


def test_a_report_on_ones_own_log_and_adopting_only_when_told(filled, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    assert "a report needs 5" in filled("report", code=1).stderr
    items = [{"title": f"{w} {k}", "text": f"{w} " * 5, "id": f"{w}{k}"} for k in range(9) for w in ("rope", "oven")]
    events = [{"item": f"rope{k}", "kind": "like", "at": f"2020-02-0{k + 1}"} for k in range(8)]
    (tmp_path / "more.jsonl").write_text("\n".join(map(json.dumps, items)))
    (tmp_path / "more_events.jsonl").write_text("\n".join(map(json.dumps, events)))
    filled("import", str(tmp_path / "more.jsonl"))
    filled("events", str(tmp_path / "more_events.jsonl"))
    served = json.loads(filled("report", "--json").stdout)
    assert [s["method"] for s in served if s["in_use"]] == ["blend"]
    assert [s["ndcg"] for s in served] == sorted((s["ndcg"] for s in served), reverse=True)
    assert all(s["low"] <= s["gain"] <= s["high"] for s in served)
    filled("report", "--adopt", "nonsense", code=1)
    filled("report", "--adopt", "white")
    assert [s["method"] for s in json.loads(filled("report", "--json").stdout) if s["in_use"]] == ["white"]
