"""The writer's examples, made from documents by rule: an item, what the app asks about it, and the answers.

A pair whose answer names what the item does not contain is dropped: what is trained is copying.
"""

import re
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from llmrec.models import prompts
from llmrec.models.sentences import opening as whole_sentences
from llmrec.models.sentences import sentences, ungrounded
from llmrec.models.training.corpus import Row
from llmrec.models.training.writer_measures import best_rouge_l
from llmrec.models.training.writer_wording import (
    choose,
    grounded_start,
    standing_alone,
    supported,
    tidied,
    words_of,
)

_MIN_SUPPORT = 0.5
"""Share of an answer's longer words that must come from the item, where the answer is not its own sentence."""
_PAPER_SUPPORT = 0.7
_PAPER_CHARS = 1_500
"""Of an abstract at most: as much of a text as a prompt of the app holds."""
_SHORTEST_ITEM = 120
_REASONS_SHARE = 0.1
_REASON = re.compile(
    r"^(?:The user|You|The reader|This user) (?:would|might|may)(?: likely| also)? (?:buy|enjoy)\b[^.]*?\b"
    r"(?:because of|because|due to|for) (.+)$"
)
_ABOUT_THE_USER = re.compile(
    r"\b(?:users?|you|your|they|them|their (?:preferences|interests?|family)|this person)\b", re.I
)
_DEEDS = ("liked", "saved", "bought", "finished", "opened", "read")
_BECAUSE = (
    "You {deed} {titles}, and this is about {topic} too.",
    "It stands here because you {deed} {titles}.",
    "Like {titles}, which you {deed}, it is about {topic}.",
)


@dataclass(frozen=True, slots=True)
class Answer:
    """One question about an item, and what should be written."""

    ask: str
    """End of the prompt."""
    text: str
    """What the model should write."""
    job: str
    """plain, new, who, detail, you or reasons; of the short questions (`writer_short`) topic or useful."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """An item with the questions that share its prompt."""

    system: str
    """Start of the prompt."""
    item: str
    """The item's text as the prompt has it."""
    answers: tuple[Answer, ...]
    """At least one."""


@dataclass(frozen=True, slots=True)
class Source:
    """What examples are cut from, and how long they are."""

    rng: np.random.Generator
    """Decides lengths, places and words."""
    longest: int
    """Characters of an item's text at most."""
    parts: int
    """Items at most that one long document gives."""
    composed: bool
    """Whether sentences that people wrote of an item without its saying them are answers too; else only its own are."""
    titles: deque[str] = field(default_factory=lambda: deque(maxlen=200))
    """Of the documents before, for histories that are made up."""


def sheets_of(row: Row, source: Source) -> list[Sheet]:
    """All examples that one document gives."""
    make = {"wiki": _article, "films": _film, "scitldr": _paper, "why": _recommended}[row["source"].partition("-")[0]]
    made = [sheet for sheet in make(row, source) if sheet.answers]
    source.titles.append(row["title"])
    return made


def grounded(answers: Sequence[Answer], title: str, text: str) -> tuple[Answer, ...]:
    """Answers that name nothing the item does not contain, as the engine checks it; one for each question."""
    kept = {a.ask: a for a in reversed(answers) if a.text and not ungrounded(a.text, f"{title} {text}")}
    return tuple(reversed(kept.values()))


def sheet(title: str, text: str, answers: Sequence[tuple[str, str]], interests: Sequence[str] = ()) -> Sheet:
    """An item with an answer for each angle; what is not grounded is left out.

    Args:
        title: the item's.
        text: the item's.
        answers: pairs of angle and answer.
        interests: the reader's words, for angle "you".
    """
    asked = [(prompts.blurb(title, text, angle, interests), angle, answer) for angle, answer in answers]
    made = [Answer(prompt.ask, answer, angle) for prompt, angle, answer in asked]
    return Sheet(prompts.SYSTEM, prompts.blurb(title, text, "plain").item, grounded(made, title, text))


def opening(text: str, longest: int) -> str:
    """Whole sentences from the start of a text on one line, at most `longest` characters."""
    return " ".join(whole_sentences(text, longest).split())


def _article(row: Row, source: Source) -> Iterator[Sheet]:
    title, paragraphs = row["title"], row["text"].split("\n")
    longest = int(source.rng.integers(_SHORTEST_ITEM, source.longest))
    yield from _questions(title, opening(" ".join(paragraphs[:3]), longest), source)
    if source.composed:
        yield from _first_sentence(row, source)
    later = [p for p in paragraphs[1:] if len(p) > _SHORTEST_ITEM]
    for n in source.rng.permutation(len(later))[: source.parts]:
        longest = int(source.rng.integers(_SHORTEST_ITEM, source.longest))
        yield from _questions(title, opening(later[n], longest), source)


def _first_sentence(row: Row, source: Source) -> Iterator[Sheet]:
    """An article without its first sentence, which is the answer where the rest contains its words."""
    first, rest = (sentences(row["text"].partition("\n")[0]) or [""])[0], " ".join(row["text"].split())
    hidden = opening(rest[len(first) :].strip() if rest.startswith(first) else "", source.longest)
    answer = grounded_start(tidied(first), f"{row['title']} {hidden}")
    if supported(answer, f"{row['title']} {hidden}") >= _MIN_SUPPORT:
        yield sheet(row["title"], hidden, [("plain", answer)])


def _questions(title: str, text: str, source: Source) -> Iterator[Sheet]:
    """Every angle of one item, answered by its own sentences, and now and then why it stands where it stands."""
    found = sentences(text)
    angles = list(prompts.ANGLES) if len(found) > 1 else ["plain"]
    answers = [(angle, choose(angle, title, found)) for angle in angles]
    yield _with_interests(sheet(title, text, answers), title, text, source)
    if source.rng.random() < _REASONS_SHARE and source.titles:
        yield _reasons(title, text, source)


def _with_interests(made: Sheet, title: str, text: str, source: Source) -> Sheet:
    """Adds "why for a reader who likes ...": the sentence that the words come from, beside words from elsewhere."""
    able = standing_alone(text)
    more: list[Answer] = []
    for n in source.rng.permutation(len(able))[:2] if len(able) > 1 else []:
        words = words_of(able[n])
        if len(words) > 2:
            chosen = [str(w) for w in source.rng.choice(words, int(source.rng.integers(1, 4)), replace=False)]
            ask = prompts.blurb(title, text, "you", chosen).ask
            more.append(Answer(ask, able[n], "you"))
    return Sheet(made.system, made.item, (*made.answers, *grounded(more, title, text)))


def _film(row: Row, source: Source) -> Iterator[Sheet]:
    """The whole extract with its own sentences, and the rest of it with its own too or with the first sentence."""
    title = f"{row['title']} ({row['year']})" if source.rng.random() < 0.5 else row["title"]
    text = opening(row["text"], source.longest)
    yield from _questions(title, text, source)
    title, text, first = hidden_opening(row)
    text = opening(text, source.longest)
    if source.composed:
        yield sheet(title, text, [("plain", tidied(grounded_start(first, f"{title} {text}")))])
    else:
        yield from _questions(title, text, source)


def hidden_opening(row: Row) -> tuple[str, str, str]:
    """A film's title, its text without the first sentence but with cast and genres, and that sentence."""
    first, *rest = sentences(row["text"]) or [""]
    cast = f"Starring {', '.join(row['cast'][:4])}." if row["cast"] else ""
    genres = f"{', '.join(row['genres']).capitalize()}." if row["genres"] else ""
    return f"{row['title']} ({row['year']})", " ".join(filter(None, [*rest, cast, genres])), first


def _paper(row: Row, source: Source) -> Iterator[Sheet]:
    """As much of the abstract as the app shows a writer; "what it is" may be a summary that has its words."""
    title, text = row["title"], opening(row["text"], _PAPER_CHARS)
    found = sentences(text)
    answers = {angle: choose(angle, title, found) for angle in prompts.ANGLES}
    if source.composed:
        answers["plain"] = _summary(row, title, text) or answers["plain"]
    yield _with_interests(sheet(title, text, list(answers.items())), title, text, source)


def _summary(row: Row, title: str, text: str) -> str:
    """What people wrote of a paper, as far as its abstract has the words; else its sentence that is most like that."""
    whole = [s if s.endswith(".") else f"{s}." for s in map(str.strip, row["summaries"])]
    fitting = [s for s in map(tidied, whole) if s and not ungrounded(s, f"{title} {text}")]
    best = max(fitting, key=lambda s: supported(s, text), default="")
    if best and supported(best, text) >= _PAPER_SUPPORT:
        return best
    own = [short for s in sentences(text) if (short := tidied(s))]
    return max(own, key=lambda s: best_rouge_l(s, row["summaries"]), default="")


def _recommended(row: Row, source: Source) -> Iterator[Sheet]:
    """A reason that was written for somebody's interests: it becomes part of the item, so that it can be copied."""
    reason = _reason(row["why"])
    words = words_of(row["interests"])
    if not reason or len(words) < 3:
        return
    title, parts = row["title"], [tidied(row["text"]), reason]
    text = " ".join(part for part in (parts if source.rng.random() < 0.5 else parts[::-1]) if part)
    shared = [word for word in words if word in reason.casefold()]
    spare = [str(word) for word in source.rng.choice(words, 2, replace=False)]
    interests = list(dict.fromkeys([*shared[:2], *spare]))[: int(source.rng.integers(1, 4))]
    yield sheet(title, text, [("who", parts[0]), ("new", reason), ("you", reason if shared else "")], interests)


def _reason(why: str) -> str:
    """Turns "The user would enjoy it because it has a view." into "It has a view."; "" where it cannot be done."""
    match = _REASON.match((sentences(why) or [""])[0])
    if match is None or _ABOUT_THE_USER.search(match.group(1)):
        return ""
    rest = re.sub("^their ", "its ", match.group(1))
    return tidied(f"It {rest[3:]}" if rest.startswith("it ") else f"Liked for {rest}")


def _frequent(title: str, text: str) -> list[str]:
    """Up to two longer words that a text repeats, those of its title first."""
    flat, named = text.casefold(), title.casefold()
    repeated = [word for word in words_of(text) if flat.count(word) > 1]
    return sorted(repeated, key=lambda word: (word not in named, -flat.count(word)))[:2]


def _reasons(title: str, text: str, source: Source) -> Sheet:
    """A made-up history in the engine's words (`engine/phrasing.py`), and its strongest fact as a sentence."""
    rng = source.rng
    past = [str(t) for t in rng.choice(list(source.titles), min(len(source.titles), int(rng.integers(1, 4))))]
    past = list(dict.fromkeys(past))
    topic = ", ".join(_frequent(title, text)) or "other things"
    deed, other = (_DEEDS[int(n)] for n in rng.integers(len(_DEEDS), size=2))
    facts = [fact(topic, deed, past, rises=True)]
    if rng.random() < 0.5:
        facts.append(fact("", other, [str(rng.choice(list(source.titles)))], rises=bool(rng.random() < 0.5)))
    if rng.random() < 0.5:
        rank = int(rng.integers(1, 20))
        facts.append(f'Without "{past[0]}" it would stand at rank {rank + int(rng.integers(1, 40))}, not {rank}.')
    form = _BECAUSE[int(rng.integers(len(_BECAUSE)))]
    answer = form.format(deed=deed, titles=" and ".join(f'"{t}"' for t in past[:2]), topic=topic)
    asked = prompts.reasons(title, facts)
    fits = len(answer) <= 200
    return Sheet(asked.system, asked.item, (Answer(asked.ask, answer, "reasons"),) if fits else ())


def fact(topic: str, deed: str, past: Sequence[str], *, rises: bool) -> str:
    """What the engine says of a group of past events: `You liked 2 items of sailing, "Tide tables": it rises ...`."""
    things = f"{len(past)} item{'s' if len(past) != 1 else ''}{f' of {topic}' if topic else ''}"
    named = " and ".join(f'"{title}"' for title in past[:2])
    return f"You {deed} {things}, {named}: it {'rises' if rises else 'sinks'} by that."
