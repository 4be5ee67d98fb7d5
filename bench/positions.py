"""What weighing a choice by its place is worth, with simulated people whose interests are known by construction.

    python bench/positions.py items.jsonl events.jsonl [people]

Each person has four interests, the surroundings of four items, and chooses from the product's own list: the row at
place r with a probability in proportion to relevance(row) / r^steepness, the examination hypothesis. The weights
(`place_weight`) assume a steepness of 1; less is tried too. Measured is nDCG@10 by graded relevance of what was not
chosen yet, after 50 and after 200 choices:

- same choices: both rankings learn what people chose from the list that does not weigh places;
- own choices: each ranking makes the list from which it learns.

Uses the vectors that `llmrec evaluate` keeps in its cache; of the events file only the format is read.
"""

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from llmrec.engine.arrange import arrange
from llmrec.engine.catalogue import Catalogue
from llmrec.engine.metrics import mean_interval
from llmrec.engine.policies.blend import Blend
from llmrec.engine.policies.experts import BoolArray
from llmrec.engine.records import Interaction, Kind
from llmrec.engine.vectors import DoubleArray, unit
from llmrec.models import FloatArray

STEEPNESS = (1.0, 0.5)
"""How fast attention falls with the place in truth: as the weights assume, and more slowly."""
MARKS = (50, 200)
"""Choices after which quality is measured."""
LAST, EVERY = 15, 5
"""Quality is the mean over the last choices before a mark, looked at each so many choices."""
SHOWN = 60
"""Rows of the list that are ever looked at."""
SHARES = (1.0, 0.8, 0.6, 0.4)
"""How relevant the middle of each interest is."""
ELSEWHERE = 0.005
"""Relevance of everything else."""
KNOWN = 3
"""Likes without a place before the first list."""
SITTING, PAUSE, DAY = 10, 120.0, 86_400.0


@dataclass(frozen=True, slots=True)
class Simulated:
    """A person whose interests are known."""

    relevance: DoubleArray
    """(n,) 0 to 1."""
    seed: int
    steepness: float

    @classmethod
    def drawn(cls, catalogue: Catalogue, seed: int, steepness: float) -> "Simulated":
        """Interests around random items: a logistic of the cosine, half where two deviations above the mean."""
        rng = np.random.default_rng(seed)
        rows = unit(catalogue.vectors - catalogue.vectors.mean(axis=0))
        cosines = rows @ rows[rng.choice(len(rows), len(SHARES), replace=False)].T  # (n, d) @ (d, 4) -> (n, 4)
        above = (cosines - cosines.mean(axis=0)) / cosines.std(axis=0)
        relevance = (SHARES / (1 + np.exp(-(above - 2) / 0.3))).max(axis=1)
        return cls(np.maximum(relevance, ELSEWHERE), seed, steepness)

    def choices(self, catalogue: Catalogue, policy: Blend) -> Iterator[Interaction]:
        """What is chosen from the policy's lists; each must be learnt before the next is asked for."""
        rng, free, now = np.random.default_rng(self.seed), np.ones(len(catalogue), bool), 1.7e9
        for row in rng.choice(np.flatnonzero(self.relevance > 0.3), KNOWN, replace=False):
            now += PAUSE
            free[row] = False
            yield Interaction(int(row), Kind.LIKE, now)
        for turn in range(max(MARKS)):
            if turn % SITTING == 0:
                now, noise = now + DAY, rng.standard_normal(len(catalogue))
            now += PAUSE
            scores = policy.scores(now)
            order = np.argsort(-scores, kind="stable").astype(np.int32)
            order = order[free[order]]
            shown = arrange(order, scores[order], catalogue, noise).rows[:SHOWN]
            chance = self.relevance[shown] / np.arange(1, len(shown) + 1) ** self.steepness
            place = int(rng.choice(len(shown), p=chance / chance.sum()))
            free[shown[place]] = False
            yield Interaction(int(shown[place]), Kind.LIKE, now, place=place + 1)

    def measured(self, catalogue: Catalogue, policy: Blend, choices: Iterable[Interaction]) -> list[float]:
        """Let a policy learn; its quality at each of the marks."""
        free, found = np.ones(len(catalogue), bool), []
        for count, event in enumerate(choices, start=1 - KNOWN):
            policy.learn([event])
            free[event.row] = False
            if any(mark - LAST < count <= mark and count % EVERY == 0 for mark in MARKS):
                found.append(self._quality(policy.scores(event.at + 1), free))
        return [float(np.mean(part)) for part in np.split(np.array(found), len(MARKS))]

    def _quality(self, scores: FloatArray, free: BoolArray) -> float:
        discounts = 1 / np.log2(np.arange(10) + 2)
        top = np.argsort(-np.where(free, scores, -np.inf), kind="stable")[:10]
        return float(self.relevance[top] @ discounts / (np.sort(self.relevance[free])[::-1][:10] @ discounts))


def compared(catalogue: Catalogue, person: Simulated) -> dict[str, list[float]]:
    """Quality at the marks by what was learnt and how."""
    plain, weighing = Blend(catalogue), Blend(catalogue)
    log: list[Interaction] = []

    def unplaced() -> Iterator[Interaction]:
        for event in person.choices(catalogue, plain):
            log.append(event)
            yield replace(event, place=None)

    return {
        "no weights": person.measured(catalogue, plain, unplaced()),
        "same choices": person.measured(catalogue, Blend(catalogue), log),
        "own choices": person.measured(catalogue, weighing, person.choices(catalogue, weighing)),
    }


def main() -> None:
    from llmrec.engine.cli_evaluate import load

    catalogue, _ = load(sys.argv[1], sys.argv[2])
    people = int(sys.argv[3]) if len(sys.argv) > 3 else 40
    for steepness in STEEPNESS:
        found = [compared(catalogue, Simulated.drawn(catalogue, seed, steepness)) for seed in range(people)]
        values = {name: np.array([by_name[name] for by_name in found]) for name in found[0]}  # (people, marks)
        for name, own in values.items():
            for mark, quality, gained in zip(MARKS, own.T, (own - values["no weights"]).T, strict=True):
                mean, low, high = mean_interval(gained, np.random.default_rng(0))
                print(
                    f"attention 1/r^{steepness:g}, {name:12s} {mark:4d} choices: {quality.mean():.4f}"
                    f"  {mean:+.4f} [{low:+.4f}, {high:+.4f}]",
                    flush=True,
                )


if __name__ == "__main__":
    main()
