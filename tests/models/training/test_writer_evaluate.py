"""The writer's verdict: what is measured, on texts whose figures are known by construction."""

import math
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra [train]")

from llmrec.models.hashing import HashingEmbedder
from llmrec.models.training.writer_card import card
from llmrec.models.training.writer_data import Case
from llmrec.models.training.writer_evaluate import Evaluation, Line, Text, agreement, judge, samples, select
from llmrec.models.training.writer_measures import chosen
from llmrec.models.training.writer_recipes import RECIPES

ITEM = "The lighthouse at Skagen was built in 1858. Boats of the harbour pass it at night, and storms do too."
GOOD = "The lighthouse at Skagen was built in 1858."


def text(
    n: int, said: str = GOOD, angle: str = "plain", origin: str = "shop", references: tuple[str, ...] = ()
) -> Text:
    return Text(origin, f"Item {n}", f"{ITEM} Number {n}.", angle, said, 0.1, 21, 0.2, references)


def verdict(
    texts: list[Text], size: int = 1_000_000, agreed: tuple[float, float] | None = (0.5, 0.4)
) -> dict[str, Line]:
    return {line.what: line for line in judge(texts, [t for t in texts if t.references], size, agreed)}


def test_a_good_writer_passes() -> None:
    found = verdict([text(n, references=(GOOD,), origin="films") for n in range(20)])
    assert all(line.passed for line in found.values()), found
    assert found["ROUGE-L, films"].reached == 1.0
    assert found["tokens a second"].reached == pytest.approx(100)
    assert found["milliseconds to an item's first words, median"].reached == pytest.approx(100)


@pytest.mark.parametrize(
    ("said", "line", "reached"),
    [
        ("The lighthouse at Skagen was", "ends in a full sentence, shop", 0.75),
        ("Boats of the harbour pass boats of the harbour pass it.", "repeats itself, shop", 0.25),
        ("The lighthouse was built by Peter and Paul in 1921.", "names and numbers from the item, shop", 6 / 9),
    ],
)
def test_a_quarter_of_bad_texts_fails_its_own_line(said: str, line: str, reached: float) -> None:
    found = verdict([text(0, said), *(text(n) for n in range(1, 4))])
    assert [name for name, each in found.items() if not each.passed] == [line]
    assert found[line].reached == pytest.approx(reached)


def test_what_fails_the_check_is_not_counted_after_it() -> None:
    found = verdict([text(0, "It was built by Peter in 1921."), text(1)])
    assert found["the same after the check, shop"].reached == 1.0


def test_rouge_must_reach_the_first_sentences() -> None:
    worse = [text(n, "Boats pass it at night.", references=(GOOD,), origin="films") for n in range(3)]
    assert not verdict(worse)["ROUGE-L, films"].passed
    assert "ROUGE-L, shop" not in verdict([text(0)])


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"size": 36_000_000}, "megabytes"),
        ({"agreed": None}, "cosine of the chosen text with an interest"),
        ({"agreed": (0.4, 0.5)}, "cosine of the chosen text with an interest"),
    ],
)
def test_size_and_agreement_are_lines_of_their_own(change: dict[str, object], line: str) -> None:
    found = verdict([text(0)], **change)  # type: ignore[arg-type]
    assert [name for name, each in found.items() if not each.passed] == [line]


def test_slow_texts_fail() -> None:
    slow = [replace(text(0), first_words=0.5, seconds=1.0)]
    failed = {name for name, line in verdict(slow).items() if not line.passed}
    assert failed == {"tokens a second", "milliseconds to an item's first words, median"}


def test_an_evaluation_without_lines_has_not_passed() -> None:
    assert not Evaluation("0" * 64, {}).passed


def test_agreement_takes_the_best_text_that_the_app_would_show() -> None:
    """Two items on boats: the text on boats is chosen, and beats a first sentence on something else."""
    about_boats = "Boats of the harbour pass it at night."
    item = "It is old and grey and tall. Boats of the harbour pass it at night."
    said = [
        Text("shop", title, item, angle, words, 0, 1, 0)
        for title in ("Boats of the harbour", "Harbour boats at night")
        for angle, words in (
            ("plain", "It is old and grey and tall."),
            ("new", about_boats),
            ("who", "For Peter in 1921."),
        )
    ]
    found = agreement(said, HashingEmbedder())
    assert found is not None
    assert found[0] > found[1]
    assert agreement([replace(each, text="no sentence") for each in said], HashingEmbedder()) is None


def test_the_chosen_text_agrees_with_item_and_interest() -> None:
    texts = np.eye(3, dtype=np.float32)
    assert chosen(texts, np.array([0, 1, 0], np.float32), np.array([0, 0.5, 0.9], np.float32)) == 1


def test_cases_are_drawn_once_each_and_always_the_same() -> None:
    cases = [Case(origin, f"{n}", "text") for origin in ("a", "b") for n in range(9)]
    picked = select(cases, 4)
    assert picked == select(cases, 4)
    assert [case.origin for case in picked] == ["a"] * 4 + ["b"] * 4
    assert len(set(picked)) == 8
    assert len(select(cases, 100)) == 18


def test_samples_are_the_first_of_every_set_with_angles_in_turn() -> None:
    angles = ("plain", "new", "who", "detail")
    texts = [text(n, angle=angle, origin=origin) for origin in "abcde" for n in range(12) for angle in angles]
    kept = samples(texts)
    assert len(kept) == 40
    assert [sample["title"] for sample in kept[:8]] == [f"Item {n}" for n in range(8)]
    assert [sample["angle"] for sample in kept[:5]] == [*angles, "plain"]
    assert [sample["set"] for sample in kept[::8]] == list("abcde")


def test_the_card_says_what_was_reached_and_shows_odd_text_as_text() -> None:
    odd = replace(text(0, "| <b>*odd*</b> |"), title="A | b")
    found = Evaluation("f" * 64, {"perplexity": math.pi}, [Line("a", "at least 1", 0.5, False)], samples([odd]))
    written = card(RECIPES["tiny"], "tiny", {"pretrain": 7}, found, {"train documents": 1_234})
    assert "It does not pass, so it does not ship." in written
    assert "| a | at least 1 | 0.500 | NO |" in written
    assert "1,234" in written
    assert "| pretrain | 7 of 11 |" in written
    assert "<b>" not in written
    assert "A \\| b" in written
