"""One contract over every encoder: hashing, llama.cpp, sentence-transformers."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from llmrec.models import Embedder
from llmrec.models.errors import ModelFailed
from llmrec.models.hashing import HashingEmbedder
from llmrec.models.host import Host
from llmrec.models.llamacpp import LlamaEmbedder
from llmrec.models.st import SentenceTransformersEmbedder

TEXTS = ["A quiet film about bakers.", "東京の図書館", "Café crème", "deep learning for proteins", "a b c d e f g"]

Make = Callable[[], Embedder]


@pytest.fixture(
    scope="module",
    params=[
        "hashing",
        pytest.param("encoder_file", marks=pytest.mark.llama),
        pytest.param("bundled_file", marks=pytest.mark.llama),
        pytest.param("st", marks=pytest.mark.st),
    ],
)
def make(request: pytest.FixtureRequest, host: Host) -> Make:
    """Builds an encoder of each kind."""
    if request.param == "hashing":
        return HashingEmbedder
    if request.param == "st":
        folder: Path = request.getfixturevalue("st_folder")
        return lambda: SentenceTransformersEmbedder(folder)
    path: Path = request.getfixturevalue(request.param)
    return lambda: LlamaEmbedder(path, host)


@pytest.fixture(scope="module")
def embedder(make: Make) -> Iterator[Embedder]:
    made = make()
    yield made
    made.close()


def test_gives_unit_rows_of_its_dimension(embedder: Embedder) -> None:
    vectors = embedder.embed(TEXTS)
    assert vectors.shape == (len(TEXTS), embedder.dim)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(len(TEXTS)), abs=1e-5)


def test_no_texts_give_no_rows(embedder: Embedder) -> None:
    assert embedder.embed([]).shape == (0, embedder.dim)


def test_a_batch_gives_what_single_texts_give(embedder: Embedder) -> None:
    together = embedder.embed(TEXTS)
    alone = np.concatenate([embedder.embed([text]) for text in TEXTS])
    assert together == pytest.approx(alone, abs=2e-3)


def test_order_follows_the_texts(embedder: Embedder) -> None:
    forward, backward = embedder.embed(TEXTS), embedder.embed(TEXTS[::-1])
    assert forward == pytest.approx(backward[::-1], abs=2e-3)


def test_empty_and_blank_texts_have_a_vector(embedder: Embedder) -> None:
    vectors = embedder.embed(["", " ", "\n\t", "\x00"])
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(4), abs=1e-5)


def test_a_text_beyond_the_cap_is_cut(embedder: Embedder) -> None:
    head = "one two three four five six seven eight nine ten " * 30
    long, longer = embedder.embed([head * 20, head * 700])
    assert float(long @ longer) > 0.99


def test_lone_surrogates_do_no_harm(embedder: Embedder) -> None:
    assert embedder.embed(["a \udcff b"]).shape == (1, embedder.dim)


def test_same_text_same_vector_and_other_text_another(embedder: Embedder) -> None:
    first, again, other = embedder.embed(["cats and dogs", "cats and dogs", "stock market report"])
    assert float(first @ again) == pytest.approx(1, abs=1e-5)
    assert float(first @ other) < 0.8


def test_a_set_cancel_stops_it(embedder: Embedder) -> None:
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(ModelFailed):
        embedder.embed(TEXTS, cancel=cancel)
    assert embedder.embed(TEXTS[:1]).shape == (1, embedder.dim)


def test_the_id_is_stable_and_names_the_weights(make: Make, embedder: Embedder) -> None:
    assert make().model_id == embedder.model_id
    assert embedder.model_id


def test_a_closed_encoder_refuses(make: Make) -> None:
    made = make()
    made.close()
    with pytest.raises(ModelFailed):
        made.embed(["text"])
