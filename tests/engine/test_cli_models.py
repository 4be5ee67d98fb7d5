"""`llmrec models` from the outside: what it prints, asks and refuses."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from llmrec.engine.cli import main
from llmrec.engine.cli_models import models
from llmrec.models import catalogue, shelf
from llmrec.models.catalogue import Entry
from llmrec.models.convert import convert
from tests.models.tiny import tiny_bert_folder, tiny_llama

Run = Callable[..., Result]


def llmrec(*words: str) -> Result:
    return CliRunner().invoke(main, list(words))


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command on an empty data folder and an installation without models."""
    monkeypatch.setenv("LLMREC_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr(shelf.Shelf.__init__, "__kwdefaults__", {"cache": None, "bundled": tmp_path / "bundled"})

    def call(*words: str, answer: str = "") -> Result:
        return CliRunner().invoke(models, list(words), input=answer)

    return call


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "data" / "models"
    made.mkdir(parents=True)
    return made


def test_lists_the_catalogue_on_an_empty_machine(run: Run) -> None:
    shown = json.loads(run("list", "--json").stdout)
    assert {row["origin"] for row in shown} == {"to pull"}
    assert {row["entry"]["sha256"] for row in shown} == {entry.sha256 for entry in catalogue.load()}
    plain = run("list", "--plain").stdout.splitlines()
    assert len(plain) == len(shown)
    assert "639.4 MB" in run("list").stdout


def test_what_came_with_the_program_is_refused_before_anything_is_asked(run: Run, tmp_path: Path) -> None:
    (tmp_path / "bundled").mkdir()
    file = tiny_llama(tmp_path / "bundled" / "own.gguf")
    refused = CliRunner().invoke(main, ["models", "remove", "own"], input="y\n")
    assert refused.exit_code == 1
    assert refused.stdout == ""
    assert "came with the program" in refused.stderr
    assert file.exists()


def test_convert_use_verify_remove(run: Run, tmp_path: Path, folder: Path) -> None:
    source = tiny_bert_folder(tmp_path / "my-bert")
    assert run("convert", str(source), "--type", "f16").exit_code == 0
    assert (folder / "my-bert.F16.gguf").is_file()
    used = run("use", "my-bert.F16")
    assert used.exit_code == 0
    assert "the encoder in use" in used.stdout
    assert "nobody vouches" in used.stderr
    assert run("verify").stdout == "ok    my-bert.F16\n"
    assert run("remove", "my-bert.F16", answer="n\n").exit_code == 1
    assert (folder / "my-bert.F16.gguf").is_file()
    assert run("remove", "my-bert.F16", "--yes").exit_code == 0
    assert list(folder.glob("*.gguf")) == []


def test_verify_fails_on_a_damaged_file(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tiny_llama(folder / "x.gguf")
    entry = Entry("x", "writer", "a/b", "x.gguf", "MIT", "1", 512, "t", file.stat().st_size, "0" * 40, "0" * 64)
    monkeypatch.setattr(catalogue, "load", lambda: (entry,))
    result = run("verify")
    assert result.exit_code == 1
    assert result.stdout.startswith("FAIL  x: ")


def test_pull_asks_first_and_opens_no_connection_when_told_no(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMREC_HUB", "http://127.0.0.1:9")
    said_no = run("pull", "Qwen3-0.6B", answer="n\n")
    assert said_no.exit_code == 1
    assert "Fetch 639.4 MB from http://127.0.0.1:9" in said_no.stdout
    assert said_no.exception is not None
    assert "connection" not in said_no.output


def test_pull_without_network_is_one_clear_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMREC_HUB", "http://127.0.0.1:9")
    failed = run("pull", "all-MiniLM-L6-v2", "--yes")
    assert "no connection to 127.0.0.1:9" in str(failed.exception)


def test_measure_says_how_fast_it_is_and_list_remembers(run: Run, folder: Path) -> None:
    tiny_llama(folder / "mine.gguf")
    assert "tokens a second" in run("measure", "mine").stdout
    shown = {row["name"]: row for row in json.loads(run("list", "--json").stdout)}
    assert shown["mine"]["speed"] > 1
    assert shown["Qwen3-0.6B"]["speed"] is None


def test_a_file_that_lies_elsewhere_is_taken_off_the_list(run: Run, folder: Path, tmp_path: Path) -> None:
    file = tiny_llama(tmp_path / "mine.gguf")
    assert run("use", str(file)).exit_code == 0
    assert "Take" in run("remove", "mine", answer="n\n").stdout
    assert "left alone" in run("remove", "mine", "--yes").stdout
    assert file.exists()
    assert "mine" not in {row["name"] for row in json.loads(run("list", "--json").stdout)}


def test_a_download_that_broke_off_is_shown(run: Run, folder: Path) -> None:
    (folder / "Qwen3-0.6B-Q8_0.gguf.part").write_bytes(bytes(6_500_000))
    assert "1% here" in run("list").stdout


@pytest.fixture
def encoders(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """A bundled encoder, and another one in the user's folder."""
    nothing = {"models_folder": None, "cache_folder": None}
    monkeypatch.setattr(shelf.default_embedder, "__kwdefaults__", {**nothing, "bundled": tmp_path / "bundled"})
    monkeypatch.setattr(shelf.default_writer, "__kwdefaults__", {**nothing, "bundled": tmp_path / "bundled"})
    first = tmp_path / "bundled" / "all-MiniLM-L6-v2.Q8_0.gguf"
    convert(tiny_bert_folder(tmp_path / "one"), first)
    second = folder / "second.gguf"
    convert(tiny_bert_folder(tmp_path / "two", layers=1, dim=64), second)
    return first, second


def items_file(path: Path, n: int = 40) -> Path:
    path.write_text("".join(json.dumps({"id": f"i{k}", "title": f"w{k} w{k // 2}"}) + "\n" for k in range(n)))
    return path


@pytest.mark.llama
def test_another_encoder_ranks_once_index_has_made_its_vectors(
    run: Run, encoders: tuple[Path, Path], tmp_path: Path
) -> None:
    def listed() -> list[dict[str, object]]:
        return json.loads(llmrec("recommend", "--json", "-n", "40", "--as-of", "2026-01-01").stdout)  # type: ignore[no-any-return]

    file = str(items_file(tmp_path / "items.jsonl"))
    assert "40 vectors made by all-MiniLM-L6-v2.Q8_0@" in llmrec("import", file).stdout
    llmrec("log", "like", "i3", "--at", "2025-12-01")
    before = listed()
    used = run("use", "second")
    assert "stays as it is until every item has its vector" in used.stdout
    noted = llmrec("recommend")
    assert "second will rank the list, but 40 of 40 items lack its vector" in noted.stderr
    assert listed() == before
    indexed = llmrec("index")
    assert "40 vectors made by second@" in indexed.stdout
    assert "ranked by second from now on" in indexed.stdout
    after = listed()
    assert "vectors made" not in llmrec("index").stdout
    llmrec("--db", str(tmp_path / "new.db"), "import", file)
    llmrec("--db", str(tmp_path / "new.db"), "log", "like", "i3", "--at", "2025-12-01")
    fresh = llmrec("--db", str(tmp_path / "new.db"), "recommend", "--json", "-n", "40", "--as-of", "2026-01-01")
    assert after == json.loads(fresh.stdout)
    assert after != before
    run("use", "all-MiniLM-L6-v2.Q8_0")
    assert listed() == before, "its vectors are still there, so it ranks at once"


@pytest.mark.llama
def test_a_removed_encoder_ranks_until_the_bundled_one_has_seen_all(
    run: Run, encoders: tuple[Path, Path], tmp_path: Path
) -> None:
    run("use", "second")
    llmrec("import", str(items_file(tmp_path / "items.jsonl")))
    run("remove", "second", "--yes")
    assert "second is gone" in llmrec("search", "w3").stderr
    assert llmrec("recommend").exit_code == 0
    assert "40 vectors made by all-MiniLM-L6-v2.Q8_0@" in llmrec("index").stdout
    assert llmrec("search", "w3").exit_code == 0


@pytest.mark.llama
def test_an_encoder_whose_file_is_gone_keeps_ranking_and_words_alone_do_not_replace_it(
    run: Run, encoders: tuple[Path, Path], tmp_path: Path
) -> None:
    run("use", "second")
    llmrec("import", str(items_file(tmp_path / "items.jsonl")))
    llmrec("log", "like", "i3", "--at", "2025-12-01")
    before = llmrec("recommend", "--json", "--as-of", "2026-01-01").stdout
    encoders[1].rename(tmp_path / "unplugged")
    assert llmrec("recommend", "--json", "--as-of", "2026-01-01").stdout == before
    assert "vectors made" not in llmrec("index").stdout
    noted = llmrec("recommend").stderr
    assert "note: The encoder in use, second.gguf, is gone" in noted
    assert "will rank the list" not in noted
    (tmp_path / "unplugged").rename(encoders[1])
    assert llmrec("search", "w3").exit_code == 0


def test_none_is_no_writer(run: Run, folder: Path) -> None:
    tiny_llama(folder / "mine.gguf")
    assert "mine is the writer in use" in run("use", "mine").stdout
    assert "the items' own words" in run("use", "none").stdout
    assert not any(row["used"] for row in json.loads(run("list", "--json").stdout))
