"""The self-check: what it says of llama.cpp, threads, the graphics card and speed, and of models that fail."""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llmrec.engine import Engine, facade
from llmrec.engine.doctor import Check, checks, features
from llmrec.models.errors import ModelFailed
from llmrec.models.hashing import HashingEmbedder
from llmrec.models.llamacpp import LlamaWriter
from tests.models.tiny import tiny_llama

SAYS = {
    "pid": 7,
    "threads": 4,
    "system": "CPU : AVX2 = 1 | NEON = 0 | ",
    "sandbox": "none",
    "gpu": True,
    "cards": [],
    "blas": "",
}
Checked = Callable[..., dict[str, Check]]


@pytest.fixture
def checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checked:
    """All findings by name, where the model process says what it is told to."""
    monkeypatch.setattr(facade, "_installed_encoder", lambda *_: (HashingEmbedder(), "words only"))
    monkeypatch.setattr(facade, "_installed_writer", lambda *_: None)

    def checked(**says: Any) -> dict[str, Check]:
        monkeypatch.setattr(Engine, "model_process", lambda _: {**SAYS, **says} if says else {})
        return {check.name: check for check in checks(tmp_path / "a.db", airgap=False)}

    return checked


@pytest.mark.parametrize(
    ("system", "words"),
    [
        ("CPU : SSE3 = 1 | AVX512 = 0 | FMA = 1 | ", "CPU with SSE3, FMA"),
        ("CUDA : ARCHS = 900 | CPU : AVX2 = 1 | ", "CUDA; CPU with AVX2"),
        ("Metal : EMBED_LIBRARY = 1 | CPU : NEON = 1 | ", "Metal with EMBED_LIBRARY; CPU with NEON"),
        ("something new", "something new"),
    ],
)
def test_flags_are_read_as_words(system: str, words: str) -> None:
    assert features(system) == words


def test_it_says_where_each_model_computes(checked: Checked) -> None:
    found = checked(
        cards=["ACME\x07 9"],
        offload={"embed": "all 7 layers on the graphics card", "write": "none: the card is full"},
    )
    assert (
        found["offload"].found == "encoder: all 7 layers on the graphics card; writer: none: the card is full; ACME 9"
    )
    assert "CPU with AVX2" in found["llama.cpp"].found
    assert found["threads"].found.startswith("4 of ")
    assert found["threads"].found.endswith("3 to write")


def test_it_names_the_library_of_matrix_products(checked: Checked) -> None:
    assert checked(blas="OpenBLAS", offload={})["llama.cpp"].found.endswith("CPU with AVX2; OpenBLAS")
    assert checked(blas="", offload={})["llama.cpp"].found.endswith("CPU with AVX2; no BLAS")


def test_a_build_for_the_processor_is_told_how_to_build_for_a_card(checked: Checked) -> None:
    assert "GGML_CUDA" in checked(gpu=False, offload={})["offload"].found


def test_without_models_there_is_nothing_to_say(checked: Checked) -> None:
    found = checked()
    assert found["model process"].ok
    assert "offload" not in found
    assert "own words" in found["writer"].found


def test_a_writer_that_fails_is_named(checked: Checked, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        model_id = "broken@0"
        copies_only = False
        jobs = None

        def close(self) -> None: ...

    def fail(_: Engine) -> float:
        raise ModelFailed("it crashed.")

    monkeypatch.setattr(facade, "_installed_writer", lambda *_: Broken())
    monkeypatch.setattr(Engine, "writer_speed", fail)
    assert checked()["writer"] == Check("writer", False, "broken@0: it crashed.")


def test_a_real_writer_has_a_speed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if importlib.util.find_spec("llama_cpp") is None:
        pytest.skip("needs llama-cpp-python")
    file = tiny_llama(tmp_path / "tiny.gguf")
    monkeypatch.setattr(facade, "_installed_encoder", lambda *_: (HashingEmbedder(), "words only"))
    monkeypatch.setattr(facade, "_installed_writer", lambda _, host: LlamaWriter(file, host))
    found = {check.name: check for check in checks(tmp_path / "a.db", airgap=False)}
    assert found["writer"].found.startswith("tiny@")
    assert found["writer"].found.endswith(" tokens a second")
    assert found["offload"].ok
    linked = importlib.util.find_spec("llama_cpp")
    assert linked is not None
    assert linked.origin is not None
    if any(Path(linked.origin).parent.glob("lib/*openblas*")):
        assert found["llama.cpp"].found.endswith("; OpenBLAS")
