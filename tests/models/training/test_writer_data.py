"""What the writer is trained on: only grounded pairs, nothing that must stay unseen, the engine's own words."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("torch", reason="needs the extra [train]")

from llmrec.engine import Item, ItemId
from llmrec.engine import prompts as engine_prompts
from llmrec.engine.phrasing import facts
from llmrec.models import prompts
from llmrec.models.sentences import ungrounded
from llmrec.models.training.corpus import split_of
from llmrec.models.training.writer_data import catalogue_cases, prepare, read_cases, read_sheets, read_texts
from llmrec.models.training.writer_jobs import Source, fact, sheet, sheets_of
from llmrec.models.training.writer_measures import lead, repeats, rouge_l, usable
from llmrec.models.training.writer_recipes import RECIPES, Stage
from llmrec.models.training.writer_run import CATALOGUES, SAMPLE_DATA
from llmrec.models.training.writer_wording import choose, grounded_start, supported, tidied
from tests.engine import test_phrasing
from tests.models.training.writer_corpus import make_corpus

TEXT = "The Skagen lighthouse was built in 1858. It guides boats past the reef at night. Visitors climb 210 steps."


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Prepared data of a corpus into which items that must stay unseen were mixed."""
    folder = tmp_path_factory.mktemp("data")
    corpus = make_corpus(folder / "corpus")
    sample = json.loads((SAMPLE_DATA / "feed.jsonl").read_text("utf-8").splitlines()[0])
    other = json.loads((SAMPLE_DATA / "shop.jsonl").read_text("utf-8").splitlines()[5])
    paper = json.loads((corpus / "scitldr-test.jsonl").read_text("utf-8").splitlines()[0])
    leaks = [
        {"title": sample["title"], "text": "Another text about the same thing. " * 3, "url": ""},
        {"title": "Copied", "text": f"A beginning of its own. {other['text']}", "url": ""},
        {"title": "Quoted", "text": f"Someone wrote this. {paper['text']}", "url": ""},
    ]
    with (corpus / "wiki-0.jsonl").open("a") as file:
        file.writelines(json.dumps(leak) + "\n" for leak in leaks)
    catalogues = [SAMPLE_DATA / f"{name}.jsonl" for name in CATALOGUES]
    prepare(corpus, folder / "data", RECIPES["tiny"], catalogues, lambda _: None, None)
    return folder / "data"


# -- what is left out ------------------------------------------------------------------------------------------------


def test_nothing_that_must_stay_unseen_is_trained_on(data: Path) -> None:
    counts = json.loads((data / "counts.json").read_text("utf-8"))
    assert counts["left out, must stay unseen"] == 3
    trained = "\n".join(
        [*read_texts(data / "texts-train.jsonl"), *(s.item for s in read_sheets(data / "sheets-train.jsonl"))]
    )
    for case in [*catalogue_cases(SAMPLE_DATA, CATALOGUES), *read_cases(data / "cases.jsonl")]:
        assert f"Title: {case.title}\n" not in trained
        if case.origin != "films":
            assert lead(case.text) not in trained


def test_halves_share_no_title(data: Path) -> None:
    halves = []
    for half in ("train", "held-out"):
        titles = {text.split("\n")[0] for text in read_texts(data / f"texts-{half}.jsonl")}
        assert {split_of(title) for title in titles} == {half}
        halves.append(titles)
    assert halves[0]
    assert halves[1]
    assert not halves[0] & halves[1]


def test_evaluations_films_hide_their_first_sentence(data: Path) -> None:
    films = [case for case in read_cases(data / "cases.jsonl") if case.origin == "films"]
    assert films
    for case in films:
        assert case.references[0] not in case.text
        assert split_of(case.title) == "held-out"


# -- answers ---------------------------------------------------------------------------------------------------------


def test_every_answer_names_only_what_the_item_holds(data: Path) -> None:
    jobs = set()
    for made in read_sheets(data / "sheets-train.jsonl"):
        for answer in made.answers:
            jobs.add(answer.job)
            assert answer.text
            assert not ungrounded(answer.text, made.item), (answer, made.item)
    assert jobs == {"plain", "new", "who", "detail", "you", "reasons"}


def test_an_answer_with_a_foreign_name_or_number_is_dropped() -> None:
    answers = [
        ("plain", "It was built by Peter in Skagen."),
        ("new", "It has 999 steps."),
        ("detail", "Visitors climb 210 steps."),
    ]
    kept = sheet("Skagen lighthouse", TEXT, answers)
    assert [answer.job for answer in kept.answers] == ["detail"]


def test_a_sheet_asks_in_the_engines_words() -> None:
    """The engine and training read one template; what it says is pinned here."""
    item = Item(ItemId("x"), "Skagen lighthouse", TEXT)
    made = sheet(item.title, item.text, [("plain", "It guides boats past the reef at night.")])
    asked = engine_prompts.blurb(item, "plain")
    assert (made.system, made.item, made.answers[0].ask) == (asked.system, asked.item, asked.ask)
    you = sheet(item.title, item.text, [("you", "It guides boats past the reef at night.")], ["boats", "reefs"])
    assert you.answers[0].ask == engine_prompts.blurb(item, "you", ["boats", "reefs"]).ask
    assert prompts.plain(asked) == (
        "You write one short sentence about an item for a list of recommendations. Use only facts from the item's text."
        " No greeting, no praise, no question.\n\n\n",
        "\n\n\nWhat it is, in one sentence:",
    )
    assert asked.item == f"Title: Skagen lighthouse\nText: {TEXT}"


def test_a_fact_is_worded_as_the_engine_words_it() -> None:
    lines = facts(test_phrasing.WHY, test_phrasing.TITLES, [test_phrasing.SAILING]).lines
    assert lines[0] == fact("sailing, tides", "liked", ["Tide tables", "Night boats"], rises=True)
    assert lines[1] == fact("", "disliked", ["Sourdough"], rises=False)


def test_the_same_seed_makes_the_same_examples(tmp_path: Path) -> None:
    row = {"title": "Skagen lighthouse", "text": TEXT + "\n" + TEXT.replace("1858", "1921") * 2, "source": "wiki-0"}
    first, again = (sheets_of(row, Source(np.random.default_rng(1), 300, 2, composed=True)) for _ in range(2))
    assert first == again
    assert first


# -- wording ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sentence", "short"),
    [
        ("The waltz (from German: Walzer) is a dance [1] in triple time.", "The waltz is a dance in triple time."),
        ("and so it went on for years.", ""),
        ('He said "this and never came back again.', ""),
        ("No end here", ""),
        ("x" * 300 + " a b c d.", ""),
    ],
)
def test_sentences_are_shortened_or_refused(sentence: str, short: str) -> None:
    assert tidied(sentence) == short


def test_a_long_sentence_loses_what_hangs_on() -> None:
    main = "The old harbour of the town was rebuilt by its own fishermen after the great storm"
    assert (
        tidied(f"{main}, which had taken every boat and most of the houses near the water in one night.") == f"{main}."
    )


def test_a_beginning_stops_before_what_the_source_lacks() -> None:
    first = "Night Boat is a 1922 American silent drama film directed by Tom Lund and starring Ada Berg."
    assert grounded_start(first, "Night Boat (1922)") == "Night Boat is a 1922 silent drama film."
    assert (
        grounded_start(first, "Night Boat, 1922, by Tom Lund")
        == "Night Boat is a 1922 silent drama film directed by Tom Lund."
    )
    assert grounded_start("Night Boat of Bergen sails.", "Night Boat") == ""


def test_each_angle_takes_another_sentence() -> None:
    found = TEXT.split(". ")
    found = [s if s.endswith(".") else f"{s}." for s in found]
    assert choose("plain", "Skagen lighthouse", found) == "The Skagen lighthouse was built in 1858."
    assert choose("who", "Skagen lighthouse", found) == "Visitors climb 210 steps."
    assert choose("detail", "", ["no capital or end", "Too short."]) == ""


def test_what_a_paper_is_is_what_it_contributes() -> None:
    found = [
        "Reading tide tables is a slow craft.",
        "Many harbours differ from one another.",
        "This paper describes a quick way for small harbours.",
    ]
    assert choose("plain", "Tides", found[:2]) == found[0]
    assert choose("plain", "A quick way for harbours", found) == found[2]


def test_support_is_the_share_of_longer_words() -> None:
    assert supported("bakers climbing towers", "A baker climbed up.") == pytest.approx(2 / 3)
    assert supported("a b c", "anything") == 1.0


@given(st.text(max_size=300))
def test_tidied_text_stays_tidy(text: str) -> None:
    short = tidied(text)
    assert len(short) <= 200
    assert tidied(short) == short


# -- measures --------------------------------------------------------------------------------------------------------


def test_rouge_l_is_the_f1_of_the_longest_common_subsequence() -> None:
    assert rouge_l("the cat sat on the mat", "The cat sat on the mat.") == 1.0
    assert rouge_l("police killed the gunman", "police kill the gunman") == pytest.approx(0.75)
    assert rouge_l("gunman the killed police", "police kill the gunman") == pytest.approx(0.25)
    assert rouge_l("", "something") == rouge_l("one", "two") == 0.0


@pytest.mark.parametrize(
    ("text", "again"),
    [
        ("It is old and it is small.", False),
        ("The boat of the north is the boat of the north.", True),
        ("It is very very very old.", True),
        ("", False),
    ],
)
def test_repetition(text: str, again: bool) -> None:
    assert repeats(text) is again


def test_a_usable_text_is_whole_and_grounded() -> None:
    assert usable("It was built in 1858.", "Skagen lighthouse", TEXT)
    assert not usable("It was built in 1921.", "Skagen lighthouse", TEXT)
    assert not usable("It was built in", "Skagen lighthouse", TEXT)


def test_the_rate_rises_and_falls() -> None:
    stage = Stage("tune", tokens=100_000, text_share=0, prompt_share=0, rate=1e-3, batch=500)
    rates = [stage.rate_at(step) for step in range(stage.steps)]
    assert stage.steps == 200
    assert max(rates) == pytest.approx(1e-3)
    assert rates.index(max(rates)) == 5
    assert rates[-1] == pytest.approx(5e-5, rel=0.01)
    assert rates[6:] == sorted(rates[6:], reverse=True)
