"""Every prompt a writer is given, and how its replies are read. The stable part comes first: it is computed once.

Below the engine, because the bundled writer is trained on these very words (`training/`); a changed prompt wants a
new training run. The item's text is data: it goes into `Prompt.item`, which is tokenised without special tokens.
"""

import re
from collections.abc import Sequence

from llmrec.models import Prompt
from llmrec.models.clean import clean
from llmrec.models.sentences import MAX_CHARS, opening

SYSTEM = (
    "You write one short sentence about an item for a list of recommendations. Use only facts from the item's text."
    " No greeting, no praise, no question.\n\n"
)
ANGLES: dict[str, str] = {
    "plain": "What it is, in one sentence:",
    "new": "What is new or special about it, in one sentence:",
    "who": "Who it is for, in one sentence:",
    "detail": "One telling detail, in one sentence:",
}
"""Angle and the end of its prompt; "you" is added where interests are known."""
MAX_TOKENS = 96
"""Tokens a reply may have: a long sentence of a paper has some 80."""
TOPIC_TOKENS = 16
"""Tokens a topic may have."""
TEMPERATURE = 0.3
"""Of sampling a reply: names and numbers must come out as they went in."""
YES, NO = " yes", " no"
"""The two answers of `still_useful` as they are scored."""
_ITEM_CHARS = 1_500  # about 350 tokens
_MIN_WORDS = 4
_TOPIC_WORDS = 3
_THINKING = re.compile(r"<think>.*?(</think>|$)", re.DOTALL)
_SENTENCE = re.compile(r"^(.+?[.!?…])(?:\s|$)", re.DOTALL)


def blurb(title: str, text: str, angle: str, interests: Sequence[str] = ()) -> Prompt:
    """Ask for one sentence from an angle; angle "you" needs the words of the reader's interests."""
    if angle == "you":
        ask = f"Why a reader who likes {', '.join(interests)} may want it, in one sentence:"
    else:
        ask = ANGLES[angle]
    return Prompt(SYSTEM, _described(title, text), f"\n\n{ask}")


def still_useful(title: str, text: str) -> Prompt:
    """The one yes/no question whose answer gives an item's half-life."""
    system = "Answer with yes or no.\n\n"
    return Prompt(system, _described(title, text), "\n\nWill this still be useful to read in a year? Answer:")


def topic(title: str, text: str) -> Prompt:
    """Ask for the words that name an interest, from the item at its middle."""
    return Prompt("Name the topic in one to three words.\n\n", _described(title, text), "\n\nTopic:")


def topic_words(text: str) -> tuple[str, ...]:
    """What a model called a topic, as the words between its commas; none where that is more than three words."""
    text, _, _ = clean(_THINKING.sub("", text), multiline=True, limit=200).partition("\n")
    words = dict.fromkeys(part for each in text.split(",") if (part := each.strip(' ."“”*')))
    return tuple(words) if sum(len(word.split()) for word in words) <= _TOPIC_WORDS else ()


def reasons(title: str, facts: Sequence[str]) -> Prompt:
    """Ask for one sentence that says why an item stands where it stands; the facts name items, so they are data too."""
    system = "You say in one short sentence why an item stands in a list. Use only the facts; say you.\n\n"
    return Prompt(system, "\n".join([f"Title: {title}", *facts]), "\n\nWhy it stands there, in one sentence:")


def plain(prompt: Prompt) -> tuple[str, str]:
    """What stands before and after the item's text for a model without a chat template; its answer goes on the line."""
    before = f"{prompt.system}\n" if prompt.system else ""
    return before, f"\n{prompt.ask}" if prompt.ask else "\n"


def answer(text: str) -> str:
    """An answer as it goes on after `plain`: its first word is then the same token as in the middle of an item."""
    return f" {text.lstrip()}" if text else ""


def reply(text: str) -> str:
    """The first sentence of what a model wrote, clean; "" where there is none yet."""
    text = clean(_THINKING.sub("", text), limit=1_000).strip('"“”* ')
    match = _SENTENCE.match(text)
    return match.group(1)[:MAX_CHARS] if match else text[:MAX_CHARS]


def is_whole(text: str) -> bool:
    """Whether a reply ends as a sentence does."""
    return text.endswith((".", "!", "?", "…")) and len(text.split()) >= _MIN_WORDS


def _described(title: str, text: str) -> str:
    return f"Title: {title}\nText: {opening(text, _ITEM_CHARS) or text[:_ITEM_CHARS]}"
