"""Where a text is cut, so that what remains is whole."""

import pytest

from llmrec.models.prompts import blurb
from llmrec.models.sentences import opening

TEXT = "The ferry sails at noon. Is it full? Then wait."


@pytest.mark.parametrize(
    ("longest", "left"),
    [
        (len(TEXT), TEXT),
        (len(TEXT) - 1, "The ferry sails at noon. Is it full?"),
        (24, "The ferry sails at noon."),
        (23, ""),
    ],
)
def test_an_opening_is_whole_sentences(longest: int, left: str) -> None:
    assert opening(TEXT, longest) == left


def test_a_prompt_never_ends_its_item_within_a_sentence_unless_it_is_one() -> None:
    assert blurb("Ferry", TEXT * 100, "plain").item.endswith(("noon.", "full?", "wait."))
    assert len(blurb("Ferry", "noon " * 1_000, "plain").item) > 1_400
