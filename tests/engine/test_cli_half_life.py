"""`llmrec half-life`, `llmrec judge` and what `import` judges, with and without a writer."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from llmrec.engine import facade
from llmrec.engine.cli import main
from llmrec.engine.half_life import DAY
from llmrec.models import Prompt
from llmrec.models.hashing import HashingEmbedder


class Yes:
    """Says yes to what sails."""

    model_id = "yes@0"
    copies_only = False
    jobs = None

    def score(self, prompt: Prompt, texts: Sequence[str], **_: object) -> list[float]:
        odds = 9.0 if "sail" in prompt.item else -9.0 if "fair" in prompt.item else 0.0
        return [odds if text.strip().lower() == "yes" else 0.0 for text in texts]

    def close(self) -> None: ...


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    monkeypatch.setattr(facade, "_installed_encoder", lambda *_: (HashingEmbedder(), ""))
    (tmp_path / "i.jsonl").write_text(
        '{"id": "a", "title": "How to sail", "domain": "feed"}\n{"id": "b", "title": "The fair", "domain": "feed"}\n'
    )

    def run(*args: str, writer: Yes | None = None, code: int = 0) -> Result:
        monkeypatch.setattr(facade, "_installed_writer", lambda *_: writer)
        result = CliRunner().invoke(main, ["--db", str(tmp_path / "x.db"), *args], catch_exceptions=False)
        assert result.exit_code == code, result.output + result.stderr
        return result

    return run


def test_import_lets_the_writer_judge(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    assert "2 half-lives judged by yes." in run("import", str(tmp_path / "i.jsonl"), writer=Yes()).stdout
    assert run("half-life", "a").stdout == "How to sail: stays fresh 12 months (yes)\n"
    assert json.loads(run("half-life", "b", "--json").stdout)["by"] == "yes@0"


def test_without_a_writer_rules_speak_until_there_is_one(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    assert "half-lives" not in run("import", str(tmp_path / "i.jsonl")).stdout
    assert run("half-life", "a").stdout == "How to sail: stays fresh 2 weeks (rule)\n"
    assert "no writer is in use" in run("judge").stdout
    assert "1 half-life judged by yes; 1 wait" in run("judge", "-n", "1", writer=Yes()).stdout
    assert "1 half-life judged by yes." in run("judge", writer=Yes()).stdout
    assert "nothing waits for the writer" in run("judge", writer=Yes()).stdout


def test_a_correction_can_be_taken_back(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    run("import", str(tmp_path / "i.jsonl"))
    assert run("half-life", "a", "2 days").stdout == "How to sail: stays fresh 2 days (you)\n"
    assert json.loads(run("half-life", "a", "--json").stdout) == {"item": "a", "seconds": 2 * DAY, "by": "you"}
    assert run("undo").stdout == 'undone: "How to sail" stays fresh 2 days\n'
    assert "(rule)" in run("half-life", "a").stdout
    run("redo")
    assert "(rule)" in run("half-life", "a", "auto").stdout


def test_usage(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    run("import", str(tmp_path / "i.jsonl"))
    run("half-life", "a", "a while", code=2)
    assert "no item has the id" in run("half-life", "nothing", code=1).stderr
