"""The main job on real input: films and ratings from the evaluation data, through the script, with the real encoder."""

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from llmrec.engine.cli import main

pytestmark = pytest.mark.llama
SEA = re.compile(r"\b(at sea|ocean|submarine|shipwreck|sailors?|sailing|pirates?|cruise ship|naval|yacht|shark)\b")


@pytest.fixture(scope="module")
def films(shared: Path) -> list[dict[str, str]]:
    """Thirty films about the sea, and a hundred and twenty that never name it."""
    lines = [json.loads(line) for line in (shared / "eval/films/items.jsonl").read_text().splitlines()]
    sea = [film for film in lines if SEA.search(film["text"])][:30]
    land = [film for film in lines if not SEA.search(film["text"])][:120]
    return sorted(sea + land, key=lambda film: film["title"])


def test_import_events_recommend_and_a_like_about_the_sea(
    films: list[dict[str, str]], shared: Path, tmp_path: Path
) -> None:
    def run(*args: str) -> Result:
        result = CliRunner().invoke(main, ["--db", str(tmp_path / "x.db"), *args], catch_exceptions=False)
        assert result.exit_code == 0, result.stderr
        return result

    ids = {film["id"] for film in films}
    events = [
        line
        for line in (shared / "eval/films/events.jsonl").read_text().splitlines()
        if (event := json.loads(line))["user"] == "u383" and event["item"] in ids
    ]
    (tmp_path / "i.jsonl").write_text("\n".join(map(json.dumps, films)))
    (tmp_path / "e.jsonl").write_text("\n".join(events))
    assert run("import", str(tmp_path / "i.jsonl")).stdout.startswith("150 new and 0 updated")
    run("events", str(tmp_path / "e.jsonl"))
    ranked = json.loads(run("recommend", "--json", "--user", "u383").stdout)
    assert [row["rank"] for row in ranked] == list(range(1, 11))

    sea = [film["id"] for film in films if SEA.search(film["text"])]
    before = [row["id"] for row in json.loads(run("recommend", "--json", "-n", "150").stdout)]
    run("log", "like", sea[0])
    after = [row["id"] for row in json.loads(run("recommend", "--json", "-n", "150").stdout)]
    others = [film for film in sea[1:] if film in before]
    risen = sum(before.index(film) - after.index(film) for film in others) / len(others)
    assert risen > 10, f"films about the sea rose by {risen:.1f} places of 150 on average"
    among_best = [sum(film in sea for film in ranking[:20]) for ranking in (before, after)]
    assert among_best[1] >= among_best[0] + 3, among_best
