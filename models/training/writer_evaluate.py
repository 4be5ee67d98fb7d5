"""Evaluation of a writer's file on items it has never seen, through the app's own model process.

Owns what a writer must reach before it may ship: the figures asked for, and the verdict.
"""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import fmean, median

import numpy as np

from llmrec.models import Embedder, Writer, prompts
from llmrec.models.sentences import names_and_numbers, ungrounded
from llmrec.models.training.corpus import CorpusError
from llmrec.models.training.writer_data import Case
from llmrec.models.training.writer_measures import best_rouge_l, chosen, lead, repeats, usable

SAMPLES = 40
_SEED = 3
_CUT = 800
"""Characters of an item that the app embeds."""


@dataclass(frozen=True, slots=True)
class Text:
    """One thing the writer wrote."""

    origin: str
    """Where the item is from."""
    title: str
    """The item's title."""
    item: str
    """The item's text."""
    angle: str
    """What was asked."""
    text: str
    """The reply as the app reads it."""
    first_words: float
    """Seconds until the first piece."""
    pieces: int
    """Pieces streamed; about one a token."""
    seconds: float
    """From the first piece to the last."""
    references: tuple[str, ...] = ()
    """What people wrote."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the verdict."""

    what: str
    """What is measured, and on what."""
    asked: str
    """In words."""
    reached: float
    """The figure; nan where it was not measured."""
    passed: bool
    """Whether it reaches what is asked."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All that the model card says of a file."""

    sha256: str
    """Of the file."""
    figures: dict[str, float]
    """Further figures by name."""
    lines: list[Line] = field(default_factory=list)
    """The verdict, line by line."""
    samples: list[dict[str, str]] = field(default_factory=list)
    """Item and text, the first of every set, unpicked."""

    @property
    def passed(self) -> bool:
        """Whether the file may ship."""
        return bool(self.lines) and all(line.passed for line in self.lines)

    def save(self, path: Path) -> None:
        """Write as JSON."""
        path.write_text(json.dumps(asdict(self), indent=1, ensure_ascii=False), "utf-8")

    @classmethod
    def load(cls, path: Path) -> "Evaluation":
        """Read what `save` wrote.

        Raises:
            CorpusError: there is none.
        """
        if not path.is_file():
            raise CorpusError(f"{path} is missing; run `evaluate` first.")
        kept = json.loads(path.read_text("utf-8"))
        return cls(**{**kept, "lines": [Line(**line) for line in kept["lines"]]})


def select(cases: Sequence[Case], count: int) -> list[Case]:
    """`count` cases of each origin, drawn with a fixed seed."""
    rng = np.random.default_rng(_SEED)
    picked: list[Case] = []
    for origin in dict.fromkeys(case.origin for case in cases):
        of_it = [case for case in cases if case.origin == origin]
        picked += [of_it[n] for n in rng.permutation(len(of_it))[:count]]
    return picked


def write(
    writer: Writer,
    cases: Sequence[Case],
    angles: Sequence[str] = tuple(prompts.ANGLES),
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Text]:
    """A text from every angle for every case, with the app's own settings."""
    for case in cases:
        for angle in angles:
            prompt = prompts.blurb(case.title, case.text, angle)
            began, raw, pieces, first = clock(), "", 0, 0.0
            for piece in writer.stream(prompt, max_tokens=prompts.MAX_TOKENS, temperature=prompts.TEMPERATURE):
                first = first or clock()
                raw, pieces = raw + piece, pieces + 1
            first = first or clock()
            yield Text(
                case.origin,
                case.title,
                case.text,
                angle,
                prompts.reply(raw),
                first - began,
                pieces,
                clock() - first,
                case.references,
            )


def judge(
    texts: Sequence[Text], compared: Sequence[Text], size: int, agreement: tuple[float, float] | None
) -> list[Line]:
    """The verdict.

    Args:
        texts: what the writer wrote, from every angle.
        compared: what it wrote of items that people described, which takes many of them to be compared well.
        size: bytes of the file.
        agreement: mean cosine of the chosen texts and of the first sentences with an interest; None if not measured.
    """
    lines: list[Line] = []
    for origin in dict.fromkeys(text.origin for text in texts):
        lines += _of_origin(origin, [text for text in texts if text.origin == origin])
    lines += [_like_people(origin, compared) for origin in dict.fromkeys(text.origin for text in compared)]
    speed = sum(max(0, t.pieces - 1) for t in texts) / max(1e-9, sum(t.seconds for t in texts))
    first = 1_000 * median(t.first_words for t in texts if t.angle == texts[0].angle)  # the others share its prompt
    chosen_by, by_lead = agreement or (float("nan"), float("nan"))
    return [
        *lines,
        Line(
            "cosine of the chosen text with an interest",
            f"above the first sentence's {by_lead:.3f}",
            chosen_by,
            chosen_by > by_lead,
        ),
        Line("tokens a second", "at least 60", speed, speed >= 60),
        Line("milliseconds to an item's first words, median", "at most 300", first, first <= 300),
        Line("megabytes", "at most 35", size / 1e6, size <= 35e6),
    ]


def agreement(texts: Sequence[Text], embedder: Embedder) -> tuple[float, float] | None:
    """Mean cosine with a reader's interest, of the writer's best text and of the first sentence.

    The reader of an item is somebody who liked the nearest other item of its set; of the texts that the app would
    show, it shows the one that agrees best with that interest and with the item. None where no text is usable.
    """
    found: list[tuple[float, float]] = []
    for origin in dict.fromkeys(text.origin for text in texts):
        items = {(t.title, t.item): [] for t in texts if t.origin == origin}  # type: dict[tuple[str, str], list[str]]
        for t in texts:
            if t.origin == origin and usable(t.text, t.title, t.item):
                items[t.title, t.item].append(t.text)
        if len(items) < 2:
            continue
        vectors = embedder.embed([f"{title}. {item[:_CUT]}" for title, item in items])  # (n, d)
        near = vectors @ vectors.T - 2 * np.eye(len(items), dtype=np.float32)  # (n, d) @ (d, n) -> (n, n)
        for n, ((_, item), written) in enumerate(items.items()):
            interest = vectors[int(np.argmax(near[n]))]
            if written:
                rows = embedder.embed([*written, lead(item)])  # (K + 1, d)
                best = chosen(rows[:-1], vectors[n], interest)
                found.append((float(rows[best] @ interest), float(rows[-1] @ interest)))
    return (fmean(a for a, _ in found), fmean(b for _, b in found)) if found else None


def samples(texts: Sequence[Text]) -> list[dict[str, str]]:
    """The first items of every set, the angles in turn."""
    origins = list(dict.fromkeys(text.origin for text in texts))
    angles = list(prompts.ANGLES)
    kept: list[dict[str, str]] = []
    for origin in origins:
        firsts = [t for t in texts if t.origin == origin]
        per_item = [firsts[n : n + len(angles)] for n in range(0, len(firsts), len(angles))]
        for n, of_item in enumerate(per_item[: -(-SAMPLES // len(origins))]):
            text = of_item[n % len(of_item)]
            kept.append({"set": origin, "title": text.title, "item": text.item, "angle": text.angle, "text": text.text})
    return kept[:SAMPLES]


def _of_origin(origin: str, texts: Sequence[Text]) -> Iterator[Line]:
    whole = fmean(prompts.is_whole(t.text) for t in texts)
    again = fmean(repeats(t.text) for t in texts)
    before = _grounding(texts)
    after = _grounding([t for t in texts if usable(t.text, t.title, t.item)])
    yield Line(f"ends in a full sentence, {origin}", "at least .95", whole, whole >= 0.95)
    yield Line(f"repeats itself, {origin}", "at most .01", again, again <= 0.01)
    yield Line(f"names and numbers from the item, {origin}", "at least .90", before, before >= 0.9)
    yield Line(f"the same after the check, {origin}", "1", after, after == 1.0)


def _like_people(origin: str, compared: Sequence[Text]) -> Line:
    plain = [t for t in compared if t.origin == origin]
    ours = fmean(best_rouge_l(t.text, t.references) for t in plain)
    leads = fmean(best_rouge_l(lead(t.item), t.references) for t in plain)
    asked = f"at least the first sentence's {leads:.3f} on {len(plain)} items"
    return Line(f"ROUGE-L, {origin}", asked, ours, ours >= leads)


def _grounding(texts: Sequence[Text]) -> float:
    """Share of names and numbers that occur in their item; 1 where there are none."""
    named = sum(len(names_and_numbers(t.text)) for t in texts)
    wrong = sum(len(ungrounded(t.text, f"{t.title} {t.item}")) for t in texts)
    return 1 - wrong / named if named else 1.0
