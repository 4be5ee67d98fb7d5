"""The two short questions: how their texts are told, what is the answer, and how they take part in training."""

import json
import threading
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra [train]")

from llmrec.engine import Item, ItemId  # noqa: E402
from llmrec.engine import prompts as engine_prompts  # noqa: E402
from llmrec.models import FloatArray, prompts  # noqa: E402
from llmrec.models.framing import FRAMES, Frames, framed  # noqa: E402
from llmrec.models.training.corpus import CorpusError  # noqa: E402
from llmrec.models.training.writer_batches import Mixture  # noqa: E402
from llmrec.models.training.writer_frames import ALL  # noqa: E402
from llmrec.models.training.writer_model import Decoder  # noqa: E402
from llmrec.models.training.writer_recipes import RECIPES  # noqa: E402
from llmrec.models.training.writer_short import parts_of, topics, useful  # noqa: E402
from llmrec.models.training.writer_tokens import Rows  # noqa: E402
from llmrec.models.training.writer_train import Trainer  # noqa: E402
from llmrec.models.training.writer_wording import stem  # noqa: E402

TOLD = Frames(("Soon over.",) * 4, ("Here forever.",) * 4, ("{t} over",), ("{t} forever",))
PARTS = [(f"Title {n}", [f"Sentence one of {n}.", f"Sentence two of {n}."]) for n in range(200)]
TINY = RECIPES["tiny"]


def rng() -> np.random.Generator:
    return np.random.default_rng(3)


class Space:
    """The first axis is the sea, the second is everything else."""

    model_id = "space@1"
    dim = 2

    def embed(self, texts: Sequence[str], *, cancel: threading.Event | None = None) -> FloatArray:
        sea = [sum(word in text.casefold() for word in ("reef", "tide", "bergen", "anchor")) for text in texts]
        rows = np.array([(1.0 + s, 1.0) for s in sea], np.float32)
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)

    def close(self) -> None: ...


# -- framing ---------------------------------------------------------------------------------------------------------


def test_a_text_is_told_by_phrases_of_one_kind_only() -> None:
    draw, kinds = rng(), set()
    for title, found in PARTS:
        named, text, lasts = framed(title, found, TOLD, draw)
        kinds.add(lasts)
        assert "over" not in f"{named} {text}" if lasts else "forever" not in f"{named} {text}"
        assert lasts or "Soon over." in text
    assert kinds == {True, False}


def test_no_phrase_is_in_both_parts() -> None:
    kept, others = FRAMES.every(5, kept=True), FRAMES.every(5, kept=False)
    for name in ("passing", "lasting", "passing_titles", "lasting_titles"):
        own, rest, whole = getattr(kept, name), getattr(others, name), getattr(FRAMES, name)
        assert not set(own) & set(rest)
        assert sorted([*own, *rest]) == sorted(whole)
        assert len(own) == -(-len(whole) // 5)
        assert set(getattr(ALL, name)) > set(whole)
        assert len(set(getattr(ALL, name))) == len(getattr(ALL, name)), "a phrase twice"


def test_every_phrase_can_be_filled() -> None:
    for name in ("passing", "lasting", "passing_titles", "lasting_titles"):
        for phrase in getattr(ALL, name):
            assert "{" not in phrase.format(t="T", n=2, day="Monday", month="May", year=1800)


# -- examples --------------------------------------------------------------------------------------------------------


def test_half_of_the_texts_last_and_many_lose_words() -> None:
    made = list(useful(PARTS, TOLD, rng()))
    asked = engine_prompts.still_useful(Item(ItemId("x"), "T", "Text."))
    answers = [sheet.answers[0] for sheet in made]
    assert {(sheet.system, sheet.answers[0].ask) for sheet in made} == {(asked.system, asked.ask)}
    assert {answer.text for answer in answers} == {prompts.YES, prompts.NO}
    assert 70 < sum(answer.text == prompts.YES for answer in answers) < 130
    for sheet, answer in zip(made, answers, strict=True):
        assert ("forever" if answer.text == prompts.NO else "over.") not in sheet.item
    whole = sum(("Soon over." in sheet.item) for sheet in made if sheet.answers[0].text == prompts.NO)
    assert 0 < whole < 100
    assert list(useful(PARTS, TOLD, rng())) == made


def test_a_topic_are_the_nearest_words_as_they_stand_there_without_names() -> None:
    texts = [
        ("Tide tables", ["The tide turns twice a day where the reef begins, says a woman from Bergen."]),
        ("Bread", ["A loaf of bread needs flour and water, and an oven that is hot enough for hours."]),
        ("Short", ["Too short."]),
    ]
    made = {sheet.item.split("\n")[0]: sheet.answers[0] for sheet in topics(texts, Space())}
    assert made["Title: Tide tables"].text == "Tide, reef"
    assert made["Title: Tide tables"].ask == prompts.topic("", "").ask
    assert "Title: Short" not in made
    assert not {"tide", "reef"} & set(made["Title: Bread"].text.split(", "))
    assert list(topics([], Space())) == []


def test_forms_of_a_word_have_one_stem() -> None:
    assert stem("Sailing") == stem("sailings") != stem("salt")


def test_parts_are_sentences_in_a_row_of_different_documents_while_there_are_any(tmp_path: Path) -> None:
    sentences = [[f"Sentence {k} of document {n} is long enough to count." for k in range(4)] for n in range(5)]
    file = tmp_path / "texts.jsonl"
    file.write_text(
        "".join(json.dumps("\n".join([f"Title {n}", *[" ".join(s)] * 2])) + "\n" for n, s in enumerate(sentences))
    )
    found = list(parts_of(file, 12, "topic", rng()))
    assert {title for title, _ in found[:5]} == {f"Title {n}" for n in range(5)}
    assert len(found) == 12
    for title, part in found:
        whole = sentences[int(title[-1])]
        assert " ".join(part) in " ".join(whole)
    assert max(len(part) for _, part in parts_of(file, 40, "useful", rng())) == 2
    assert list(parts_of(file, 12, "topic", rng())) == found


@pytest.mark.parametrize(("lines", "said"), [(None, "run `prepare`"), ('"Title\\nShort."\n', "no paragraph")])
def test_without_texts_it_says_so(tmp_path: Path, lines: str | None, said: str) -> None:
    file = tmp_path / "texts.jsonl"
    if lines is not None:
        file.write_text(lines)
    with pytest.raises(CorpusError, match=said):
        list(parts_of(file, 3, "useful", rng()))


# -- training --------------------------------------------------------------------------------------------------------


def rows(seed: int, count: int = 60) -> Rows:
    """Prompts of ten tokens, answers of two."""
    ids = np.random.default_rng(seed).integers(1, TINY.shape.vocabulary, 12 * count).astype(np.uint16)
    marks = np.tile(np.array([*[0] * 8, *[2] * 2, *[3] * 2], np.uint8), count)
    return Rows(ids, marks, np.arange(count + 1) * 12)


def mixture(weight: float, *short: Rows) -> Mixture:
    stage = replace(TINY.tune, short=(weight, 2 * weight), prompt_share=0.5, opening=4.0)
    return Mixture(np.ones(4_000, np.uint16), rows(0), stage, TINY.shape, None, short)


def test_each_short_question_has_a_batch_beside_every_other() -> None:
    batches = mixture(0.5, rows(1), rows(2)).short(0)
    assert [weight for _, weight in batches] == [0.5, 1.0]
    for batch, _ in batches:
        assert set(batch.weights.unique().tolist()) == {0.0, 1.0}, "prompts do not count, and openings no more"
        assert batch.weights.sum() == 2 * len(batch.ids)
    assert not mixture(0.0, rows(1)).short(0)
    assert not mixture(0.5, rows(1, 0)).short(0)


def test_they_count_in_the_loss_by_their_weight() -> None:
    torch.manual_seed(0)
    model = Decoder(TINY.shape)
    both = mixture(0.25, rows(1), rows(2))
    trainer = Trainer(model, TINY.tune, both)
    with torch.no_grad():
        first, second = (trainer.loss(batch) for batch, _ in both.short(0))
        wanted = trainer.loss(both.batch(0)) + 0.25 * first + 0.5 * second
    loss, tokens = trainer.update()
    assert loss == pytest.approx(float(wanted), rel=1e-5)
    assert tokens == sum(batch.ids.numel() for batch in (both.batch(0), *(batch for batch, _ in both.short(0))))


def test_every_short_question_is_read_once_in_a_pass() -> None:
    own = rows(1)
    mixed = mixture(0.5, own)
    seen = [tuple(row.tolist()) for batch in islice(map(mixed.short, range(50)), 2) for row in batch[0][0].ids]
    assert len(set(seen)) == len(seen) == len(own)
