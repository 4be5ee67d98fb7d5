"""Errors quote file names and damaged files, so their text is cleaned like everything that is drawn."""

import pytest

from llmrec.models import errors
from llmrec.models.errors import LlmrecError, ModelRejected


def test_quoted_control_characters_never_reach_the_terminal() -> None:
    text = str(ModelRejected("evil\x1b]0;title\x07.gguf is \u202ebad\nand more"))
    assert text == "evil]0;title.gguf is bad and more"


@pytest.mark.parametrize("name", [name for name in vars(errors) if name[0].isupper()])
def test_every_error_is_in_the_tree(name: str) -> None:
    assert issubclass(vars(errors)[name], LlmrecError)
