"""The shelf: what is listed, chosen, removed, quantised and vouched for."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from llmrec.models import Prompt, catalogue
from llmrec.models.catalogue import Entry
from llmrec.models.convert import convert
from llmrec.models.errors import ModelError, ModelNotFound, ModelRejected
from llmrec.models.gguf_header import read_header
from llmrec.models.hashes import sha256_of
from llmrec.models.host import Host
from llmrec.models.llamacpp import LlamaEmbedder, LlamaWriter
from llmrec.models.shelf import Shelf, default_embedder, default_writer
from llmrec.models.shelf_row import Row, spdx
from tests.models.tiny import tiny_bert_folder, tiny_llama


@pytest.fixture
def bundled(tmp_path: Path) -> Path:
    """An installation with an encoder."""
    folder = tmp_path / "bundled"
    convert(tiny_bert_folder(tmp_path / "bert"), folder / "all-MiniLM-L6-v2.Q8_0.gguf")
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data" / "models"


@pytest.fixture
def shelf(folder: Path, bundled: Path, tmp_path: Path) -> Shelf:
    return Shelf(folder, cache=tmp_path / "cache", bundled=bundled)


@pytest.fixture
def own(folder: Path) -> Path:
    """A writer the user has put into the folder."""
    folder.mkdir(parents=True)
    return tiny_llama(folder / "mine.gguf")


def rows(shelf: Shelf) -> dict[str, Row]:
    return {row.name: row for row in shelf.rows()}


def test_the_catalogue_is_complete_and_pinned() -> None:
    entries = catalogue.load()
    assert len({entry.name for entry in entries}) == len(entries)
    assert {entry.kind for entry in entries} == {"encoder", "writer"}
    assert all(entry.pinned and entry.licence and entry.use and entry.parameters for entry in entries)
    assert all(entry.url("https://h/").startswith(f"https://h/{entry.repo}/resolve/") for entry in entries)


@pytest.mark.parametrize(
    ("in_the_file", "shown"),
    [
        ("apache-2.0", "Apache-2.0"),
        ("mit", "MIT"),
        ("cc-by-sa-4.0", "CC-BY-SA-4.0"),
        ("bsd-3-clause", "BSD-3-Clause"),
        ("agpl-3.0", "AGPL-3.0"),
        ("llama3.2", "Llama3.2"),
        ("Apache-2.0", "Apache-2.0"),
        ("see the licence file", "see the licence file"),
        ("", ""),
    ],
)
def test_a_licence_is_spelled_as_usual(in_the_file: str, shown: str) -> None:
    assert spdx(in_the_file) == shown


BAD = ["file = '../x.gguf'", "repo = 'a/../b/c'", "sha256 = 'abc'", "revision = 'main'", "size = 0", "kind = 'spy'"]


@pytest.mark.parametrize("bad", BAD)
def test_a_malformed_entry_is_refused(tmp_path: Path, bad: str) -> None:
    good = dict(line.split(" = ", 1) for line in catalogue.PATH.read_text().split("[[model]]")[1].strip().split("\n"))
    key, value = bad.split(" = ")
    text = "[[model]]\n" + "\n".join(f"{k} = {v}" for k, v in {**good, key: value}.items())
    (tmp_path / "c.toml").write_text(text)
    with pytest.raises(ModelRejected, match=key):
        catalogue.load(tmp_path / "c.toml")


def test_lists_what_is_here_and_what_can_be_had(shelf: Shelf, own: Path) -> None:
    found = rows(shelf)
    assert found["all-MiniLM-L6-v2.Q8_0"].origin == "bundled"
    assert found["all-MiniLM-L6-v2.Q8_0"].used
    assert found["mine"].path == own
    assert found["mine"].kind == "writer"
    assert not found["mine"].used
    assert found["Qwen3-0.6B"].path is None


def test_a_choice_lasts_and_a_removal_ends_it(shelf: Shelf, own: Path, folder: Path, bundled: Path) -> None:
    assert shelf.chosen("writer") is None
    assert shelf.use("mine").path == own
    again = Shelf(folder, bundled=bundled)
    assert again.chosen("writer") == own
    assert rows(again)["mine"].used
    again.remove("mine")
    assert not own.exists()
    assert Shelf(folder, bundled=bundled).chosen("writer") is None


def test_a_file_elsewhere_is_used_and_listed_but_never_deleted(shelf: Shelf, own: Path, tmp_path: Path) -> None:
    elsewhere = tiny_llama(tmp_path / "elsewhere.gguf")
    assert shelf.use(str(elsewhere)).kind == "writer"
    assert shelf.chosen("writer") == elsewhere
    assert rows(shelf)["elsewhere"].used
    shelf.use("mine")
    assert rows(shelf)["elsewhere"].origin == "your own"
    assert not rows(shelf)["elsewhere"].used
    shelf.use("elsewhere")
    assert shelf.remove("elsewhere") == elsewhere
    assert elsewhere.exists()
    assert "elsewhere" not in rows(shelf)
    assert shelf.chosen("writer") is None


def test_a_file_of_ones_own_can_be_listed_without_using_it(shelf: Shelf, own: Path, tmp_path: Path) -> None:
    shelf.use("mine")
    elsewhere = tiny_llama(tmp_path / "elsewhere.gguf")
    for _ in range(2):
        assert shelf.add(str(elsewhere)).path == elsewhere
    assert [row.path for row in shelf.rows()].count(elsewhere) == 1
    assert shelf.chosen("writer") == own
    shelf.add(str(own))
    shelf.remove("mine")
    assert rows(shelf)["elsewhere"].path == elsewhere
    elsewhere.unlink()
    assert "elsewhere" not in rows(shelf)


@pytest.mark.parametrize(
    ("what", "says"), [("nothing.gguf", "no model file"), ("", "is a folder"), ("x", "fewer than")]
)
def test_what_is_no_model_is_not_listed(shelf: Shelf, tmp_path: Path, what: str, says: str) -> None:
    (tmp_path / "x").write_text("no model")
    before = shelf.rows()
    with pytest.raises(ModelError, match=says):
        shelf.add(str(tmp_path / what))
    assert shelf.rows() == before


def test_two_files_of_one_name_are_told_apart_by_path(shelf: Shelf, own: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    twin = tiny_llama(tmp_path / "other" / "mine.gguf", seed=1)
    shelf.add(str(twin))
    assert shelf.path("mine") == own
    assert shelf.path(str(twin)) == twin
    shelf.remove(str(twin))
    assert own.exists()
    assert [row.path for row in shelf.rows() if row.name == "mine"] == [own]


def test_a_model_is_found_by_the_id_of_its_vectors(shelf: Shelf, bundled: Path) -> None:
    path = bundled / "all-MiniLM-L6-v2.Q8_0.gguf"
    digest = sha256_of(path)[:12]
    assert shelf.by_id(f"{path.stem}@{digest}") == path
    assert shelf.by_id(f"{path.stem}@000000000000") is None
    assert shelf.by_id("hashing") is None


def test_rows_say_size_licence_and_use_from_the_catalogue_or_the_file(
    shelf: Shelf, own: Path, folder: Path, tmp_path: Path
) -> None:
    convert(tiny_bert_folder(tmp_path / "b3"), folder / "b3.gguf", about={"general.license": "CC0\x1b"})
    found = rows(shelf)
    assert found["all-MiniLM-L6-v2.Q8_0"].licence == "Apache-2.0", "another conversion of what the catalogue has"
    assert found["all-MiniLM-L6-v2.Q8_0"].entry is None, "so the catalogue's hash is not its own"
    assert (found["b3"].licence, found["mine"].licence) == ("CC0", "")
    assert found["Qwen3-0.6B"].parameters == "0.6 B"
    assert found["mine"].parameters == "0 M"
    assert "laptop" in found["Qwen3-0.6B"].use


def test_what_an_interrupted_download_left_is_said(shelf: Shelf, folder: Path) -> None:
    assert rows(shelf)["Qwen3-0.6B"].part == 0
    folder.mkdir(parents=True)
    (folder / "Qwen3-0.6B-Q8_0.gguf.part").write_bytes(bytes(1234))
    assert rows(shelf)["Qwen3-0.6B"].part == 1234


@pytest.mark.llama
def test_speed_is_measured_on_demand_and_remembered(
    shelf: Shelf, own: Path, st_free_encoder: Path, folder: Path, bundled: Path, tmp_path: Path
) -> None:
    shutil.copy(st_free_encoder, folder / "enc.gguf")
    assert rows(shelf)["mine"].speed is None
    assert (shelf.measure("mine").speed or 0) > 1
    assert (shelf.measure("enc").speed or 0) > 1
    again = rows(Shelf(folder, cache=tmp_path / "cache", bundled=bundled))
    assert again["mine"].speed is not None
    assert again["enc"].speed is not None
    tiny_llama(own, seed=2)
    assert rows(shelf)["mine"].speed is None, "another file of that name was not measured"


def test_the_bundled_model_can_be_used_again_and_never_removed(shelf: Shelf, folder: Path, tmp_path: Path) -> None:
    convert(tiny_bert_folder(tmp_path / "b2", layers=1), folder / "other.gguf")
    shelf.use("other")
    assert shelf.chosen("encoder") == folder / "other.gguf"
    shelf.use("all-MiniLM-L6-v2.Q8_0")
    bundled = shelf.chosen("encoder")
    assert bundled is not None
    assert bundled.name == "all-MiniLM-L6-v2.Q8_0.gguf"
    with pytest.raises(ModelRejected):
        shelf.remove("all-MiniLM-L6-v2.Q8_0")


def test_a_chosen_file_that_is_gone_is_named(shelf: Shelf, own: Path, host: Host, folder: Path, bundled: Path) -> None:
    shelf.use("mine")
    own.unlink()
    with pytest.raises(ModelNotFound, match=r"mine\.gguf"):
        default_writer(models_folder=folder, host=host, bundled=bundled)
    assert not [row for row in shelf.rows() if row.used and row.kind == "writer"]


def test_a_damaged_file_of_choices_says_how_to_mend_it(shelf: Shelf, own: Path) -> None:
    own.with_name("models.toml").write_text("encoder = [")
    with pytest.raises(ModelRejected, match="delete it"):
        shelf.chosen("encoder")


@pytest.mark.parametrize("name", ["nothing", "../../etc/passwd", ""])
def test_unknown_names_are_refused_by_every_verb(shelf: Shelf, name: str) -> None:
    verbs: list[Callable[[str], object]] = [shelf.use, shelf.path, shelf.remove, lambda n: list(shelf.pull(n))]
    for verb in verbs:
        with pytest.raises(ModelNotFound):
            verb(name)


def test_a_model_to_pull_says_so(shelf: Shelf) -> None:
    with pytest.raises(ModelNotFound, match="llmrec models pull Qwen3"):
        shelf.use("Qwen3-0.6B")


def test_verify_finds_what_was_altered(shelf: Shelf, own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = pin(own, monkeypatch)
    assert {row.name: fault for row, fault in shelf.verify()}[entry.name] == ""
    data = bytearray(own.read_bytes())
    data[-1] ^= 1
    own.write_bytes(data)
    faults = {row.name: fault for row, fault in shelf.verify()}
    assert "SHA-256" in faults[entry.name]
    assert faults["all-MiniLM-L6-v2.Q8_0"] == ""
    with pytest.raises(ModelRejected, match="SHA-256"):
        shelf.use(entry.name)
    own.write_bytes(own.read_bytes()[:1000])
    assert "cut short" in {row.name: fault for row, fault in shelf.verify()}[entry.name]


def test_what_is_not_pinned_cannot_be_pulled(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    loose = Entry("loose", "writer", "a/b", "loose.gguf", "MIT", "1 B", 1024, "tests", pinned=False)
    monkeypatch.setattr(catalogue, "load", lambda: (loose,))
    with pytest.raises(ModelRejected, match="llmrec models use PATH"):
        list(shelf.pull("loose"))


def test_a_pulled_model_is_used_when_there_is_no_other(
    shelf: Shelf, own: Path, monkeypatch: pytest.MonkeyPatch, folder: Path, bundled: Path, host: Host
) -> None:
    pin(own, monkeypatch)
    assert list(shelf.pull("tested")) == [], "it is here already"
    writer = default_writer(models_folder=folder, host=host, bundled=bundled)
    assert "".join(writer.stream(Prompt("", "a"), max_tokens=3))


def pin(path: Path, monkeypatch: pytest.MonkeyPatch) -> Entry:
    """Make a file the catalogue's only entry."""
    stat = path.stat()
    entry = Entry("tested", "writer", "a/b", path.name, "MIT", "1", 512, "x", stat.st_size, "0" * 40, sha256_of(path))
    monkeypatch.setattr(catalogue, "load", lambda: (entry,))
    return entry


def test_without_any_model_the_command_is_named(tmp_path: Path, host: Host) -> None:
    for make in (default_embedder, default_writer):
        with pytest.raises(ModelNotFound, match="llmrec models pull"):
            make(models_folder=tmp_path / "none", host=host, bundled=tmp_path / "nothing")


def test_the_default_encoder_costs_nothing_to_make(bundled: Path, tmp_path: Path) -> None:
    host = Host(program=("a program that does not exist",))
    embedder = default_embedder(cache_folder=tmp_path / "cache", host=host, bundled=bundled)
    digest = sha256_of(bundled / "all-MiniLM-L6-v2.Q8_0.gguf")
    assert embedder.model_id == f"all-MiniLM-L6-v2.Q8_0@{digest[:12]}"
    assert embedder.dim == 32
    with pytest.raises(ModelError, match="could not be started"):
        embedder.embed(["text"])
    host.close()


@pytest.mark.llama
def test_quantised_copies_still_work_and_stay_close(
    shelf: Shelf, folder: Path, st_free_encoder: Path, host: Host
) -> None:
    folder.mkdir(parents=True)
    source = Path(shutil.copy(st_free_encoder, folder / "enc.F32.gguf"))
    out = shelf.quantize("enc.F32", "q8_0")
    assert out == folder / "enc.Q8_0.gguf"
    assert out.stat().st_size < source.stat().st_size
    assert read_header(out).metadata["llmrec.max_tokens"] == 24, "our own keys survive"
    texts = ["w1 w2 w3", "w5"]
    close = LlamaEmbedder(out, host).embed(texts) * LlamaEmbedder(source, host).embed(texts)
    assert close.sum(axis=1) == pytest.approx(np.ones(2), abs=0.01)
    with pytest.raises(ModelRejected, match="quantised already"):
        shelf.quantize(str(out), "q4_k_m")
    assert sorted(file.name for file in folder.iterdir()) == ["enc.F32.gguf", "enc.Q8_0.gguf"]


@pytest.mark.llama
def test_writers_can_be_quantised_too(shelf: Shelf, own: Path, host: Host) -> None:
    out = shelf.quantize("mine", "q4_k_m")
    assert "".join(LlamaWriter(out, host).stream(Prompt("", "a"), max_tokens=3))


@pytest.fixture
def st_free_encoder(tmp_path: Path) -> Path:
    """A random encoder at F32."""
    return convert(tiny_bert_folder(tmp_path / "bert32"), tmp_path / "f32.gguf", "f32").path


def test_a_user_may_have_no_writer_at_all(shelf: Shelf, own: Path, bundled: Path) -> None:
    bundled_writer = tiny_llama(bundled / "llmrec-write.Q8_0.gguf")
    assert shelf.chosen("writer") == bundled_writer
    shelf.use_no_writer()
    assert shelf.chosen("writer") is None
    assert [row.name for row in shelf.rows() if row.used] == ["all-MiniLM-L6-v2.Q8_0"]
    shelf.use("mine")
    assert shelf.chosen("writer") == own
    shelf.use_no_writer()
    shelf.use("llmrec-write.Q8_0")
    assert shelf.chosen("writer") == bundled_writer
