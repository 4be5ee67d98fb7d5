"""Learning from yourself: whether another method or clock would have served a user's own log better."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from threading import Event as Cancel

import numpy as np

from llmrec.engine.catalogue import Catalogue
from llmrec.engine.errors import LlmrecError
from llmrec.engine.evaluate import MIN_STEPS, Evaluation, History
from llmrec.engine.metrics import mean_interval
from llmrec.engine.policies.base import WEIGHTS
from llmrec.engine.records import Event, ItemId
from llmrec.engine.wording import count

METHODS = (
    "blend",
    "essay",
    "white",
    "white-10e",
    "nearest",
    "tf-idf",
    "mean",
    "mean-3e",
    "mean-10e",
    "mean-7d",
    "mean-60d",
)
"""What a user may be served by; all of them see this user alone."""


@dataclass(frozen=True, slots=True)
class Served:
    """How well one method would have served the log."""

    method: str
    ndcg: float
    """Mean nDCG@10 over the steps."""
    gain: float
    """Mean difference to the method in use."""
    low: float
    """Lower end of the 95 % interval of the gain, over steps."""
    high: float
    """Upper end."""

    @property
    def better(self) -> bool:
        """Whether it is better beyond chance."""
        return self.low > 0


def judged(events: Iterable[Event]) -> list[Event]:
    """Each item once: at the moment it was first touched, with the clearest thing ever done with it.

    In the app an item is opened before it is liked, so the moment of choosing is the first touch.
    """
    first: dict[ItemId, Event] = {}
    for event in sorted(events, key=lambda e: (e.at, e.id)):
        known = first.get(event.item)
        if known is None:
            first[event.item] = event
        elif abs(WEIGHTS[event.kind]) > abs(WEIGHTS[known.kind]):
            first[event.item] = replace(known, kind=event.kind)
    return list(first.values())


def report(
    catalogue: Catalogue, history: History, current: str, *, seed: int = 0, cancel: Cancel | None = None
) -> list[Served]:
    """Replay a log with every method, best first.

    Args:
        catalogue: the items.
        history: one user's steps.
        current: the method in use.
        seed: of ties and intervals.
        cancel: looked at between steps.

    Raises:
        LlmrecError: the log is too short to say anything, or the replay was cancelled.
    """
    steps = sum(bool(step.wanted) for step in history.steps)
    if steps < MIN_STEPS:
        moments = f"{count(steps, 'moment')} with a like, save, purchase or finish"
        raise LlmrecError(f"{history.user} has {moments}; a report needs {MIN_STEPS}.")
    names = tuple(dict.fromkeys((current, *METHODS)))
    measured = Evaluation(catalogue, [history], names, seed).trace(history, cancel)
    if measured is None:
        raise LlmrecError("the report was cancelled.")
    rng = np.random.default_rng(seed)
    quality = {name: np.array([q.ndcg for q in found]) for name, found in measured.items()}
    served = [
        Served(name, float(values.mean()), *mean_interval(values - quality[current], rng))
        for name, values in quality.items()
    ]
    return sorted(served, key=lambda s: -s.ndcg)
