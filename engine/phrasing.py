"""`why` in words: the writer may phrase the computed evidence, and nothing else; what does not hold is dropped.

The evidence is handed over as plain facts. A sentence holds if its names, numbers, deeds and quotations all stand in
the facts or in the item, and if it names any of the evidence at all. It is checked while it is written: a wrong one
ends early.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from threading import Event as Cancel

from llmrec.engine.errors import ModelError
from llmrec.engine.importers import content_hash
from llmrec.engine.records import Interest, Item, ItemId, Kind, Reason, Why
from llmrec.engine.store import Store
from llmrec.engine.wording import count
from llmrec.models import Writer, prompts

DROPPED = "what the model wrote did not hold and was dropped"
_GROUPS, _TITLES = 3, 2
"""Groups of past events, and titles of each, that the writer is told of."""
_TEMPERATURE = 0.3
_DEEDS = {
    Kind.LIKE: "liked",
    Kind.SAVE: "saved",
    Kind.PURCHASE: "bought",
    Kind.FINISH: "finished",
    Kind.OPEN: "opened",
    Kind.DWELL: "read",
    Kind.DISLIKE: "disliked",
    Kind.SKIP: "skipped",
    Kind.IMPRESSION: "saw",
}
_DEED_WORDS = frozenset({*_DEEDS.values(), "like", "likes", "dislike", "dislikes", "hated"} - {"read", "saw"})
_WORD = re.compile(r"\d+(?:[.,:]\d+)*|[^\W\d_]+(?:['’][^\W\d_]+)*|[^\W_]+")
_QUOTE = re.compile(r'["“]([^"“”]+)["”]')
_AROUND = " .,;:!?"
"""What may stand inside quotation marks without being quoted."""
_COUNTS = {"two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7", "eight": "8", "nine": "9"}
_OPENERS = frozenset(
    """
    a an and as at because both by for from given here in it its like most of on since so that the there these this
    those though to with without you your
    """.split()  # noqa: SIM905
)
"""Words that may begin a sentence with a capital without being a name."""


@dataclass(frozen=True, slots=True)
class Phrased:
    """One sentence that a model made of the evidence."""

    item: ItemId
    text: str
    """The sentence so far; "" where there is none."""
    model: str
    """Name of the writer."""
    note: str = ""
    """Why there is no sentence."""
    done: bool = True
    """False while words are still coming."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Evidence in plain words."""

    lines: tuple[str, ...]
    named: frozenset[str]
    """Words of the interests and past items that the lines name, in lower case."""


def facts(why: Why, titles: Mapping[ItemId, str], interests: Sequence[Interest]) -> Facts:
    """The strongest evidence for a rank: deeds by interest, and the rank without the event that matters most.

    Args:
        why: the computed parts.
        titles: titles of past items.
        interests: what past items belong to.
    """
    home = {item: ", ".join(interest.words[:2]) for interest in interests for item in interest.items}
    groups: dict[tuple[str, Kind], list[Reason]] = {}
    for reason in why.reasons:
        if reason.item is not None and reason.kind is not None:
            groups.setdefault((home.get(reason.item, ""), reason.kind), []).append(reason)
    strongest = sorted(groups.items(), key=lambda group: -abs(sum(r.amount for r in group[1])))[:_GROUPS]
    lines, named = [], []
    for (interest, kind), reasons in strongest:
        past = list(dict.fromkeys(titles.get(r.item, "") for r in reasons if r.item is not None))
        named += [interest, *past[:_TITLES]]
        lines.append(_line(interest, _DEEDS[kind], past, sum(r.amount for r in reasons)))
    if lines and why.without is not None and why.without.item is not None and why.rank_without:
        title = titles.get(why.without.item, "")
        named.append(title)
        lines.append(f'Without "{title}" it would stand at rank {why.rank_without}, not {why.rank}.')
    return Facts(tuple(lines), frozenset(word for text in named for word in _words(text)))


def _line(interest: str, deed: str, past: Sequence[str], amount: float) -> str:
    """`You liked 3 items of sailing, among them "Tide tables": it rises.`."""
    things = f"{count(len(past), 'item')}{f' of {interest}' if interest else ''}"
    examples = " and ".join(f'"{title}"' for title in past[:_TITLES])
    return f"You {deed} {things}, {examples}: it {'rises' if amount > 0 else 'sinks'} by that."


def holds(sentence: str, found: Facts, item: Item) -> bool:
    """Whether every name, number, deed and quotation of a sentence stands in the facts or in the item."""
    if not _quoted(sentence, found, item):
        return False
    source = set(_words(f"{' '.join(found.lines)} {item.title} {item.text} {item.source} {' '.join(item.tags)}"))
    deeds = set(_words(" ".join(found.lines)))
    for place, word in enumerate(_WORD.findall(sentence)):
        plain = _plain(word)
        if any(c.isdigit() for c in word):
            known = plain in source
        elif plain in _COUNTS:
            known = plain in source or _COUNTS[plain] in source
        elif plain in _DEED_WORDS:
            known = any(plain[:4] == deed[:4] for deed in deeds)
        elif word[0].isupper():
            known = plain in source or (place == 0 and plain in _OPENERS) or plain == "i"
        else:
            known = True
        if not known:
            return False
    return True


def _quoted(sentence: str, found: Facts, item: Item) -> bool:
    """Whether what stands between quotation marks was said letter by letter, as a title must be."""
    said = " ".join([*found.lines, item.title, item.text]).casefold()
    return all(quote.strip(_AROUND).casefold() in said for quote in _QUOTE.findall(sentence))


def says_something(sentence: str, found: Facts) -> bool:
    """Whether a sentence names any of the evidence."""
    return any(len(word) > 3 and word in found.named for word in _words(sentence))


def _words(text: str) -> list[str]:
    return [_plain(word) for word in _WORD.findall(text)]


def _plain(word: str) -> str:
    """In lower case, without a possessive ending."""
    return re.sub(r"['’]s$", "", word).casefold()


class Phraser:
    """Lets a writer phrase evidence, and keeps what held."""

    def __init__(self, store: Store, writer: Writer) -> None:
        """Sentences by `writer`, kept in `store` for as long as evidence and item stay the same."""
        self._store = store
        self._writer = writer
        self._name = writer.model_id.split("@")[0]

    def phrase(self, item: Item, found: Facts, cancel: Cancel | None) -> Iterator[Phrased]:
        """The sentence as it is written; nothing where there is no evidence to phrase, or when cancelled."""
        if not found.lines:
            return
        state = "why " + sha256("\n".join(found.lines).encode()).hexdigest()[:16]
        kept = self._store.written(item.id, self._writer.model_id, state, content_hash(item))
        if kept is not None:
            yield self._told(item, kept["why"])
            return
        text = ""
        try:
            for text in self._growing(item, found, cancel):
                yield Phrased(item.id, text, self._name, done=False)
        except ModelError as exc:
            if cancel is None or not cancel.is_set():
                yield Phrased(item.id, "", self._name, str(exc))
            return
        if cancel is not None and cancel.is_set():
            return
        held = text if prompts.is_whole(text) and holds(text, found, item) and says_something(text, found) else ""
        self._store.save_written(item.id, self._writer.model_id, state, content_hash(item), {"why": held})
        yield self._told(item, held)

    def _growing(self, item: Item, found: Facts, cancel: Cancel | None) -> Iterator[str]:
        """The sentence as far as it is written; ends where it ceases to hold."""
        raw = ""
        prompt = prompts.reasons(item.title, found.lines)
        yield ""
        for piece in self._writer.stream(
            prompt, max_tokens=prompts.MAX_TOKENS, temperature=_TEMPERATURE, cancel=cancel
        ):
            raw += piece
            whole, _, _ = prompts.reply(raw).rpartition(" ")  # the last word may go on
            if not holds(whole, found, item):
                return
            yield prompts.reply(raw)

    def _told(self, item: Item, text: str) -> Phrased:
        return Phrased(item.id, text, self._name, "" if text else DROPPED)
