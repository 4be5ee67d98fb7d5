"""How near the student is to its teacher, and how fast: measured in llama.cpp on documents neither half shares."""

import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from llmrec.models import Embedder, FloatArray
from llmrec.models.training.corpus import Row
from llmrec.models.training.encoder_texts import Kind, texts_of

TEXTS = 2_000
"""Held-out texts that are compared."""
_SPEED_TEXTS = 256
_ROUNDS = 3
_NEAREST = 10


@dataclass(frozen=True, slots=True)
class HeldOut:
    """One text of a held-out document."""

    title: str
    """The document's."""
    kind: Kind
    """What the app would use the text as."""
    text: str
    """The text."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What the model card says."""

    texts: int
    """Texts compared n."""
    cosine: float
    """Mean cosine of the student's vector and the teacher's, both at Q8_0."""
    cosine_p5: float
    """What 95 of 100 texts exceed."""
    by_kind: dict[str, tuple[int, float]]
    """Number of texts and mean cosine of each kind."""
    same_nearest: float
    """Mean share of the teacher's ten nearest items that are among the student's ten."""
    items: int
    """Held-out items these are searched in."""
    student_rate: float
    """Texts a second."""
    teacher_rate: float
    """Texts a second in the same run."""
    size: int
    """Bytes of the student's file."""

    @property
    def speed_up(self) -> float:
        """Times the teacher's rate."""
        return self.student_rate / self.teacher_rate


def held_out_texts(rows: Iterable[Row], seed: int) -> list[HeldOut]:
    """All texts of the held-out documents, shuffled."""
    found = [HeldOut(row["title"], text.kind, text.text) for row in rows for text in texts_of(row, seed)]
    return [found[n] for n in np.random.default_rng(seed).permutation(len(found))]


def save_held_out(path: Path, texts: Sequence[HeldOut]) -> None:
    """Write texts as JSON lines."""
    path.write_text("".join(json.dumps(asdict(text), ensure_ascii=False) + "\n" for text in texts), "utf-8")


def load_held_out(path: Path) -> list[HeldOut]:
    """Read what `save_held_out` wrote."""
    return [HeldOut(**json.loads(line)) for line in path.read_text("utf-8").splitlines()]


def measure(
    student: Embedder, teacher: Embedder, held_out: Sequence[HeldOut], size: int, clock: Callable[[], float]
) -> Figures:
    """Compare two encoders on the first `TEXTS` texts.

    Args:
        student: the encoder to judge.
        teacher: what it should be like.
        held_out: shuffled texts that the student was not trained on.
        size: bytes of the student's file.
        clock: seconds that only grow.

    Raises:
        ModelError: an encoder failed.
    """
    texts = held_out[:TEXTS]
    ours, theirs = (each.embed([text.text for text in texts]) for each in (student, teacher))
    cosines = (ours * theirs).sum(1)  # (n,)
    kinds = np.array([text.kind for text in texts])
    items = kinds == "item"
    rates = _rates([student, teacher], [text.text for text in texts[:_SPEED_TEXTS]], clock)
    return Figures(
        texts=len(texts),
        cosine=float(cosines.mean()),
        cosine_p5=float(np.quantile(cosines, 0.05)),
        by_kind={str(k): (int((kinds == k).sum()), float(cosines[kinds == k].mean())) for k in np.unique(kinds)},
        same_nearest=_same_nearest(ours[items], theirs[items]),
        items=int(items.sum()),
        student_rate=rates[0],
        teacher_rate=rates[1],
        size=size,
    )


def nearest(vectors: FloatArray, queries: FloatArray, k: int) -> "np.ndarray[tuple[int, int], np.dtype[np.intp]]":
    """Rows (q, k) of the k vectors nearest to each query, the nearest first."""
    return np.argsort(-(queries @ vectors.T), axis=1, kind="stable")[:, :k]  # (q, d) @ (d, n) -> (q, n)


def _same_nearest(ours: FloatArray, theirs: FloatArray) -> float:
    """Mean share of the `_NEAREST` nearest other rows that both spaces agree on."""
    k = min(_NEAREST, len(ours) - 1)
    if k < 1:
        return 1.0
    pairs = zip(nearest(ours, ours, k + 1)[:, 1:], nearest(theirs, theirs, k + 1)[:, 1:], strict=True)
    return float(np.mean([len(np.intersect1d(a, b)) / k for a, b in pairs]))


def _rates(embedders: Sequence[Embedder], texts: Sequence[str], clock: Callable[[], float]) -> list[float]:
    """Texts a second of each: the best of some rounds that take turns, so that what else runs hits all alike."""
    best = [float("inf")] * len(embedders)
    for _ in range(_ROUNDS):
        for n, embedder in enumerate(embedders):
            started = clock()
            embedder.embed(texts)
            best[n] = min(best[n], clock() - started)
    return [len(texts) / max(seconds, 1e-9) for seconds in best]


def now() -> float:
    """Seconds that only grow."""
    return time.perf_counter()
