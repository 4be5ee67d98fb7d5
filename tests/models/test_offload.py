"""Layers on the graphics card: all of them where the build can, none where it fails, and `health` says which and why.

No card is needed: the functions of llama.cpp that would find one are replaced.
"""

import os
import resource
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from llmrec.models.check import stamp_of
from llmrec.models.convert import FileType, convert
from llmrec.models.errors import ModelRejected
from llmrec.models.gguf_header import read_header
from llmrec.models.host import Host
from llmrec.models.llamacpp import LlamaEmbedder
from llmrec.models.protocol import FrameDecoder
from llmrec.models.worker import Worker
from tests.models.tiny import tiny_bert_folder

llama = pytest.importorskip("llmrec.models.llama")
encode = pytest.importorskip("llmrec.models.encode")


class Process:
    """A worker in this process, and what it answers."""

    def __init__(self) -> None:
        self._out, self._in = os.pipe()
        self._decoder = FrameDecoder()
        self.worker = Worker(-1, self._in, 1, "")

    def load(self, path: Path, role: str = "write") -> dict[str, Any]:
        """Load a model, and what `health` says then."""
        self.worker._load(1, {"path": str(path), "role": role, "stamp": list(stamp_of(path))})
        self.worker._health(2, {})
        self._decoder.feed(os.read(self._out, 65_536))
        assert self._decoder.next() is not None
        frame = self._decoder.next()
        assert frame is not None
        return frame.fields

    def close(self) -> None:
        self.worker._unload("write")
        os.close(self._in)
        os.close(self._out)


@pytest.fixture
def process() -> Iterator[Process]:
    made = Process()
    yield made
    made.close()


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[int]]:
    """Pretend that there is a graphics card, which fails at a function; returns the layers that were asked for."""

    def pretend(fails_at: str) -> list[int]:
        asked: list[int] = []
        load, init = llama.lib.llama_model_load_from_file, llama.lib.llama_init_from_model

        def loading(path: bytes, params: Any) -> Any:
            asked.append(params.n_gpu_layers)
            return None if fails_at == "load" and params.n_gpu_layers else load(path, params)

        def making(model: Any, params: Any) -> Any:
            return None if fails_at == "context" and params.offload_kqv else init(model, params)

        monkeypatch.setattr(llama.lib, "llama_supports_gpu_offload", lambda: True)
        monkeypatch.setattr(llama.lib, "llama_model_load_from_file", loading)
        monkeypatch.setattr(llama.lib, "llama_init_from_model", making)
        return asked

    return pretend


def test_a_build_without_offload_says_so(process: Process, writer_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(llama.lib, "llama_supports_gpu_offload", lambda: False)
    says = process.load(writer_file)
    assert says["gpu"] is False
    assert says["offload"] == {"write": "none: this build of llama.cpp computes on the processor"}


def test_all_layers_go_to_the_card(process: Process, writer_file: Path, card: Callable[[str], list[int]]) -> None:
    asked = card("nothing")
    says = process.load(writer_file)
    assert says["gpu"] is True
    assert says["offload"] == {"write": "all 2 layers on the graphics card"}
    assert asked == [-1]


@pytest.mark.parametrize("fails_at", ["load", "context"])
def test_a_card_that_fails_costs_one_line(
    process: Process,
    writer_file: Path,
    card: Callable[[str], list[int]],
    capfd: pytest.CaptureFixture[str],
    fails_at: str,
) -> None:
    asked = card(fails_at)
    says = process.load(writer_file)
    assert asked == [-1, 0]
    assert says["offload"]["write"].startswith("none: the graphics card did not take it, so the processor computes")
    assert says["loaded"] == ["write"]
    lines = [line for line in capfd.readouterr().err.splitlines() if "graphics card" in line]
    assert len(lines) == 1


def test_a_file_that_nothing_takes_is_refused(
    process: Process, tmp_path: Path, card: Callable[[str], list[int]]
) -> None:
    card("nothing")
    (tmp_path / "bad.gguf").write_bytes(b"GGUF" + bytes(60))
    with pytest.raises(ModelRejected):
        process.load(tmp_path / "bad.gguf")


def test_what_is_made_without_blas_does_not_take_it_from_what_comes_after() -> None:
    before = llama.blas()
    with llama.without_blas():
        assert llama.blas() == ""
    assert llama.blas() == before
    with pytest.raises(ZeroDivisionError), llama.without_blas():
        _ = 1 / 0
    assert llama.blas() == before


@pytest.mark.llama
def test_a_context_made_without_blas_has_a_backend_less(tmp_path: Path) -> None:
    if not llama.blas():
        pytest.skip("this build has no BLAS library")
    said: list[bytes] = []
    listen = llama.lib.llama_log_callback(lambda _, text, __: said.append(text))
    weights = llama.Weights(str(convert(tiny_bert_folder(tmp_path / "bert"), tmp_path / "x.gguf").path), "x")
    try:
        llama.lib.llama_log_set(listen, None)
        llama.EncoderContext(weights, 8, 1).close()
        with llama.without_blas():
            llama.EncoderContext(weights, 8, 1).close()
        llama.EncoderContext(weights, 8, 1).close()
    finally:
        llama.lib.llama_log_set(llama._log, None)
        weights.close()
    counts = [int(text.split()[-1]) for text in said if b"backend_ptrs.size() = " in text]
    assert counts == [2, 1, 2]


@pytest.mark.llama
def test_an_encoder_in_bfloat16_gives_the_vectors_of_the_one_it_was_made_from(tmp_path: Path, host: Host) -> None:
    folder = tiny_bert_folder(tmp_path / "bert")
    kinds: list[FileType] = ["f32", "bf16"]
    files = [convert(folder, tmp_path / f"{kind}.gguf", kind, name="x").path for kind in kinds]
    first, second = (LlamaEmbedder(file, host).embed(["a b c", "b"]) for file in files)
    assert ((first * second).sum(axis=1) > 0.999).all()


@pytest.mark.skipif(sys.platform != "linux", reason="files in memory are Linux's")
@pytest.mark.parametrize(("kind", "able", "widened"), [("q8_0", True, 1), ("q8_0", False, 0), ("f32", True, 0)])
def test_eight_bits_become_bfloat16_where_that_is_multiplied_faster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: FileType, able: bool, widened: int
) -> None:
    made: list[str] = []
    copied = encode.in_bfloat16
    monkeypatch.setattr(encode, "multiplies_bfloat16", lambda: able)
    monkeypatch.setattr(encode, "in_bfloat16", lambda path, name: made.append(name) or copied(path, name))
    path = convert(tiny_bert_folder(tmp_path / "bert"), tmp_path / "x.gguf", kind).path
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    loaded = encode.load(str(path), "x", read_header(path), 1, on_gpu=False)
    asis = encode.Encoder(llama.Weights(str(path), "x"), read_header(path), 1)
    rows = [each.vectors(["a b c", "b"], lambda: False) for each in (loaded, asis)]
    assert ((rows[0] * rows[1]).sum(axis=1) > 0.999).all()
    assert len(made) == widened
    assert resource.getrlimit(resource.RLIMIT_FSIZE) == limits
    loaded.close()
    asis.close()


@pytest.mark.skipif(sys.platform != "linux", reason="files in memory are Linux's")
def test_what_cannot_be_copied_is_used_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(encode, "multiplies_bfloat16", lambda: True)
    path = convert(tiny_bert_folder(tmp_path / "bert"), tmp_path / "x.gguf", "q8_0").path
    header, before = read_header(path), len(os.listdir("/proc/self/fd"))
    with monkeypatch.context() as patched:
        patched.setattr(llama.lib, "llama_model_quantize", lambda *_: 1)
        loaded = encode.load(str(path), "x", header, 1, on_gpu=False)
    assert loaded.vectors(["a b c"], lambda: False).shape == (1, loaded.dim)
    loaded.close()
    assert capfd.readouterr().err.count("x: read as it is") == 1
    (tmp_path / "x.gguf").write_bytes(b"no model")
    with pytest.raises(ModelRejected):
        encode.load(str(path), "x", header, 1, on_gpu=False)
    assert len(os.listdir("/proc/self/fd")) == before
