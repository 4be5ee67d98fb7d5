"""Names from the nearest words: kept, learnt piece by piece, and better than the most telling words of the items."""

import threading
from collections.abc import Generator, Sequence
from pathlib import Path

import numpy as np
import pytest
from conftest import NOW, Clock

from llmrec.engine import Engine, Item, ItemId, Kind
from llmrec.engine.benchmark import named_right
from llmrec.engine.lexicon import KeptLexicon, Lexicon
from llmrec.engine.records import Progress
from llmrec.engine.vectors import unit
from llmrec.engine.words import WordIndex
from llmrec.models import FloatArray
from llmrec.models.hashing import HashingEmbedder

TOPICS = {
    "sea": "harbour boats sailing lighthouse reef anchor rope",
    "bread": "flour oven crust dough loaf yeast rye",
    "rail": "track signal station carriage sleeper gauge timetable",
}


class Encoder:
    """Words of one topic lie together; it keeps what it was asked for."""

    model_id = "topics@1"
    dim = 16

    def __init__(self) -> None:
        self.asked: list[str] = []

    def embed(self, texts: Sequence[str], *, cancel: threading.Event | None = None) -> FloatArray:
        self.asked += texts
        rows = 0.1 * HashingEmbedder(self.dim).embed(texts)
        for row, text in zip(rows, texts, strict=True):
            for place, words in enumerate(TOPICS.values()):
                row[place] += sum(word in text.casefold() for word in words.split())
        return unit(rows + 1e-3)

    def close(self) -> None: ...


def finished(learning: Generator[Progress, None, Lexicon | None]) -> Lexicon | None:
    while True:
        try:
            next(learning)
        except StopIteration as stop:
            return stop.value


def catalogue(tags: tuple[str, ...] = ()) -> list[Item]:
    found = []
    for topic, known in TOPICS.items():
        words = known.split()
        for k in range(12):
            text = f"{words[k % 7]} and {words[(k + 2) % 7]} number{k}"
            found.append(Item(ItemId(f"{topic}{k}"), f"Thing {k}", text, tags=tags, domain="feed"))
    return found


def opened(place: Path | str, encoder: Encoder) -> Engine:
    return Engine.open(place, embedder=encoder, clock=Clock(NOW))


def test_an_interest_without_tags_is_named_by_the_nearest_words(tmp_path: Path) -> None:
    encoder = Encoder()
    with opened(tmp_path / "a.db", encoder) as engine:
        engine.add_items(catalogue())
        assert not engine.status().learnt
        assert "words" in {progress.what for progress in engine.index()}
        assert engine.status().learnt
        change = engine.record("me", ItemId("sea3"), Kind.LIKE).change
        assert change is not None
        assert set(engine.interests("me")[0].words) <= set(TOPICS["sea"].split())
        assert change.interest.split(", ")[0] in TOPICS["sea"].split()
        asked = len(encoder.asked)
        assert list(engine.index()) == []
    with opened(tmp_path / "a.db", encoder) as engine:
        assert engine.status().learnt
        assert set(engine.interests("me")[0].words) <= set(TOPICS["sea"].split())
        assert len(encoder.asked) == asked, "what was learnt is kept"


def test_tags_need_no_words(tmp_path: Path) -> None:
    with opened(tmp_path / "a.db", encoder := Encoder()) as engine:
        engine.add_items(catalogue(("sailing",)))
        list(engine.index())
        assert engine.status().learnt
        engine.record("me", ItemId("sea3"), Kind.LIKE)
        assert engine.interests("me")[0].words == ("sailing",)
        assert "harbour" not in encoder.asked


def test_where_no_word_says_anything_nothing_is_asked_for(tmp_path: Path) -> None:
    with opened(tmp_path / "a.db", encoder := Encoder()) as engine:
        engine.add_items([Item(ItemId(f"i{k}"), "Same", "the same") for k in range(3)])
        assert {progress.what for progress in engine.index()} == {"vectors", "half-lives"}
        assert engine.status().learnt
        engine.record("me", ItemId("i1"), Kind.LIKE)
        assert engine.interests("me")[0].words
        assert not list((tmp_path).glob("**/words-*"))
        assert "same" not in encoder.asked


def test_only_new_words_are_asked_for(tmp_path: Path) -> None:
    encoder, kept = Encoder(), KeptLexicon(tmp_path, tmp_path / "a.db")
    assert finished(kept.learn(["boats", "flour"], encoder, None)) is not None
    assert kept.load(["boats", "flour"], encoder.model_id) is not None
    assert kept.load(["boats", "flour", "track"], encoder.model_id) is None
    assert kept.load(["boats"], "other@1") is None, "of another encoder"
    encoder.asked.clear()
    found = finished(kept.learn(["boats", "flour", "track"], encoder, None))
    assert found is not None
    assert encoder.asked == ["track"]
    assert found.words == ("boats", "flour", "track")


def test_a_damaged_file_is_as_good_as_absent(tmp_path: Path) -> None:
    kept = KeptLexicon(tmp_path, tmp_path / "a.db")
    finished(kept.learn(["boats"], Encoder(), None))
    (file,) = tmp_path.glob("words-*.npz")
    file.write_bytes(file.read_bytes()[:200])
    assert kept.load(["boats"], Encoder.model_id) is None
    assert not file.exists()


def test_what_was_stopped_names_nothing(tmp_path: Path) -> None:
    cancel = threading.Event()
    cancel.set()
    assert finished(KeptLexicon(tmp_path, tmp_path / "a.db").learn(["boats"], Encoder(), cancel)) is None


def test_of_several_forms_of_a_word_the_first_counts() -> None:
    words = ["riding", "rides", "ridden", "boats", "flour"]
    vectors = np.array([[1, 0], [0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [-1, 0]], np.float32)
    nearest = Lexicon(tuple(words), unit(vectors)).nearest(np.array([1, 0], np.float32), 3)
    assert nearest == ("riding", "boats", "flour")


def test_usual_words_are_in_some_items_and_not_in_most() -> None:
    texts = [
        f"everywhere {'boats harbour' if k < 4 else ''} {'once' if k == 1 else ''} ab{k % 9} 2024" for k in range(60)
    ]
    index = WordIndex(texts)
    assert index.usual(9) == ["boats", "harbour"]
    assert index.usual(1) == ["boats"]
    assert WordIndex([]).usual(3) == []


@pytest.mark.llama
def test_they_name_better_than_the_items_own_most_telling_words() -> None:
    groups, by_lexicon, by_words = named_right()
    assert groups > 50
    assert by_lexicon > 1.5 * by_words
