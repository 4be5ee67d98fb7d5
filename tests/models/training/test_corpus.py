"""Training text: reading, doubles, the split, what must stay unseen, sentences."""

import json
import lzma
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmrec.models.training.corpus import (
    CorpusError,
    Row,
    Unseen,
    distinct,
    read_corpus,
    read_rows,
    same_title,
    sentences,
    split_of,
)


def rows_of(*texts: str) -> list[Row]:
    return [{"title": f"T{n}", "text": text} for n, text in enumerate(texts)]


def write(path: Path, rows: list[Row]) -> Path:
    data = "".join(json.dumps(row) + "\n" for row in rows)
    if path.suffix == ".xz":
        path.write_bytes(lzma.compress(data.encode()))
    else:
        path.write_text(data, "utf-8")
    return path


def test_reads_packed_and_plain_files_alike_and_in_order(tmp_path: Path) -> None:
    write(tmp_path / "b-1.jsonl.xz", rows_of("second"))
    write(tmp_path / "b-0.jsonl", rows_of("first"))
    found = list(read_corpus(tmp_path, ["b-*"]))
    assert [(row["text"], row["source"]) for row in found] == [("first", "b-0"), ("second", "b-1")]


def test_texts_are_cleaned_and_keep_their_paragraphs(tmp_path: Path) -> None:
    file = write(tmp_path / "a.jsonl", [{"title": "A\x1b[2J", "text": "One.\n\u202eTwo." + " x" * 3_000}])
    (row,) = read_rows(file)
    assert row["title"] == "A[2J"
    assert row["text"].startswith("One.\nTwo.")
    assert len(row["text"]) > 6_000


@pytest.mark.parametrize(
    ("line", "words"), [("{", "line 1 is not JSON"), ("[]", "no title"), ('{"title": 1, "text": ""}', "no title")]
)
def test_a_bad_line_is_named(tmp_path: Path, line: str, words: str) -> None:
    (tmp_path / "a.jsonl").write_text(line + "\n")
    with pytest.raises(CorpusError, match=words):
        list(read_rows(tmp_path / "a.jsonl"))


def test_missing_and_damaged_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"wiki-\*"):
        list(read_corpus(tmp_path, ["wiki-*"]))
    (tmp_path / "wiki-0.jsonl.xz").write_bytes(b"not packed")
    with pytest.raises(CorpusError, match="could not be read"):
        list(read_corpus(tmp_path, ["wiki-*"]))


def test_doubles_are_dropped_whatever_their_case_and_spacing() -> None:
    assert [row["title"] for row in distinct(rows_of("A b, c.", "a  B c", "a b d"))] == ["T0", "T2"]


@given(st.text(), st.integers(1900, 2030))
def test_a_title_is_always_in_the_same_half(title: str, year: int) -> None:
    assert split_of(title) == split_of(title.lower()) == split_of(f" {title} ({year})")
    assert split_of(title, 0.0) == "train"
    assert split_of(title, 1.0) == "held-out"


def test_the_held_out_half_has_about_its_share() -> None:
    held_out = sum(split_of(f"document {n}", 0.1) == "held-out" for n in range(2_000))
    assert 140 < held_out < 260


def test_items_of_a_catalogue_are_recognised_by_title_or_by_opening(tmp_path: Path) -> None:
    opening = " ".join(f"word{n}" for n in range(20))
    file = write(tmp_path / "items.jsonl", [{"title": "Heat (1995)", "text": opening}, {"title": "Short", "text": "x"}])
    unseen = Unseen([file])
    assert {"title": "HEAT", "text": "another"} in unseen
    assert {"title": "Another", "text": opening.upper() + " and more"} in unseen
    assert {"title": "Another", "text": "x"} not in unseen
    assert {"title": "Another", "text": opening} not in Unseen()


def test_sentences_end_where_a_reader_would_end_them() -> None:
    text = 'Dr. A. Smith met J. Doe. They spoke of 3.5 km.\nA new line (2005). "Quoted." The end'
    assert sentences(text) == [
        "Dr. A. Smith met J. Doe.",
        "They spoke of 3.5 km.",
        "A new line (2005).",
        '"Quoted."',
        "The end",
    ]


@given(st.text(alphabet="aB .!?\n\"'(", max_size=80))
def test_sentences_lose_nothing_but_space(text: str) -> None:
    assert "".join("".join(sentences(text)).split()) == "".join(text.split())


def test_titles_compare_without_year_case_and_punctuation() -> None:
    assert same_title("Who's Afraid? (1966)") == same_title("who s afraid")
