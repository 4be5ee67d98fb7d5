"""`llmrec models` from the outside: what it prints, asks and refuses."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from llmrec.engine.cli_models import models
from llmrec.models import catalogue, shelf
from llmrec.models.catalogue import Entry
from tests.models.tiny import tiny_bert_folder, tiny_llama

Run = Callable[..., Result]


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
