"""What each part of the default policy is worth, and each that it lacks: nDCG@10 with one taken out or put in.

    python bench/ablation.py items.jsonl events.jsonl [users]

Uses the vectors that `llmrec evaluate` keeps in its cache. `ablation.md` beside this file keeps a run.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from llmrec.engine.catalogue import Catalogue
from llmrec.engine.evaluate import Evaluation, History, sample
from llmrec.engine.interests import ALWAYS_HALF_LIFE, JOIN
from llmrec.engine.metrics import mean_interval
from llmrec.engine.policies import Policy
from llmrec.engine.policies.base import Contribution, LogPolicy
from llmrec.engine.policies.baselines import Nearest, Top, by_both, by_white, liked
from llmrec.engine.policies.blend import Blend
from llmrec.engine.policies.experts import PLAIN, RECIPE, WHITE, WORDS, Expert, Recipe
from llmrec.engine.policies.facts import standardised
from llmrec.engine.records import Interaction
from llmrec.models import FloatArray

Maker = Callable[[Catalogue], Policy]


def variants() -> Iterator[tuple[str, Maker]]:
    """The default policy, without each of its parts, and with each of those that were left out of it."""
    for name, recipe in recipes():
        yield name, lambda catalogue, recipe=recipe: Blend(catalogue, recipe)
    for name, other in others():
        yield name, lambda catalogue, other=other: Beside(Blend(catalogue), other(catalogue))


def recipes() -> Iterator[tuple[str, Recipe]]:
    """The recipe, and the recipe without each of its parts."""
    yield "blend", RECIPE
    yield "without whitened likeness", only(lambda e: e.space != WHITE)
    yield "without plain likeness", only(lambda e: e.space != PLAIN)
    yield "without words", only(lambda e: e.space != WORDS)
    yield "without clocks of events", only(lambda e: bool(np.isinf(e.events)))
    yield "without clocks of days", only(lambda e: bool(np.isinf(e.days)))
    yield "without what does not fade", only(lambda e: bool(np.isfinite(e.events) or np.isfinite(e.days)))
    yield "without the session", only(lambda e: not e.session)
    yield "without length", replace(RECIPE, length=0.0)
    yield "without dates", replace(RECIPE, date=0.0)
    yield "without dislikes", replace(RECIPE, against=0.0)
    yield "without learning the gate", replace(RECIPE, learning=0.0)
    yield "equal priors", replace(RECIPE, experts=tuple(replace(e, prior=0.25) for e in RECIPE.experts))


def only(keep: Callable[[Expert], bool]) -> Recipe:
    """The recipe with the experts that `keep` says yes to."""
    experts: tuple[Expert, ...] = tuple(e for e in RECIPE.experts if keep(e))
    return replace(RECIPE, experts=experts)


def others() -> Iterator[tuple[str, Maker]]:
    """What was left out, as methods of their own."""
    yield "with nearest likes (log-sum-exp)", lambda catalogue: Nearest(catalogue, by_both)
    yield "with the five nearest likes", Top
    yield "with medoids of clusters", Medoids


class Medoids(LogPolicy):
    """Likeness to the nearest of a few likes that stand for clusters (PinnerSage, KDD 2020).

    t log sum_k m_k exp(s_k / t), with s_k the whitened cosine to the medoid of cluster k and m_k its share of the
    likes, fading by half in sixty days. A like joins the cluster with the nearest centroid, or leads a new one.
    """

    _TEMPERATURE = 0.2

    def scores(self, now: float) -> FloatArray:
        """The smooth maximum, (n,)."""
        rows = [self.events[j] for j in liked(self.events) if self.events[j].row >= 0]
        if not rows:
            return np.zeros(len(self.catalogue), np.float32)
        clusters = self._clusters(rows)
        at = np.array([event.at for event in rows])
        fading = 2.0 ** (-np.maximum(now - at, 0) / ALWAYS_HALF_LIFE)
        shares = np.array([fading[own].sum() for own in clusters])
        near = np.stack([by_white(self.catalogue, rows[self._medoid(rows, own)]) for own in clusters])  # (K, n)
        shares = np.maximum(shares / max(shares.sum(), 1e-300), 1e-12)
        mixed = shares @ np.exp(near.astype(np.float64) / self._TEMPERATURE)  # (K,) @ (K, n) -> (n,)
        return np.asarray(self._TEMPERATURE * np.log(mixed), np.float32)

    def _clusters(self, events: Sequence[Interaction]) -> list[list[int]]:
        """Events by cluster, in the order in which they came."""
        vectors = self.catalogue.vectors[[event.row for event in events]].astype(np.float64)  # (m, d)
        totals, clusters = np.empty((0, vectors.shape[1])), []
        for j, vector in enumerate(vectors):
            cosines = totals @ vector / np.maximum(np.linalg.norm(totals, axis=1), 1e-12)  # (K, d) @ (d,) -> (K,)
            if len(cosines) and cosines.max() >= JOIN:
                k = int(cosines.argmax())
                clusters[k].append(j)
                totals[k] += vector
            else:
                clusters.append([j])
                totals = np.vstack([totals, vector])
        return clusters

    def _medoid(self, events: Sequence[Interaction], own: list[int]) -> int:
        """Index of the event nearest to the centroid of its cluster."""
        vectors = self.catalogue.vectors[[events[j].row for j in own]]
        return own[int(np.argmax(vectors @ vectors.sum(axis=0)))]

    def explain(self, row: int, now: float) -> list[Contribution]:
        """The score as a whole."""
        return [Contribution("likes", float(self.scores(now)[row]))]


class Beside(LogPolicy):
    """The default policy, and another method a third as loud beside it."""

    _SHARE = 1 / 3

    def __init__(self, blend: Policy, other: Policy) -> None:
        """Both must know nothing yet."""
        self._both = (blend, other)

    def learn(self, step: Sequence[Interaction]) -> None:
        """Let both learn."""
        for policy in self._both:
            policy.learn(step)

    def scores(self, now: float) -> FloatArray:
        """The mixture of the two, each on one scale, (n,)."""
        blend, other = (standardised(policy.scores(now).astype(np.float64)) for policy in self._both)
        return np.asarray(blend + self._SHARE * other, np.float32)

    def explain(self, row: int, now: float) -> list[Contribution]:
        """The score as a whole."""
        return [Contribution("likes", float(self.scores(now)[row]))]


class _Variants(Evaluation):
    """Evaluation whose methods are these."""

    def __init__(self, catalogue: Catalogue, everybody: Sequence[History], makers: dict[str, Maker]) -> None:
        super().__init__(catalogue, everybody, ())
        self._makers, self._names = makers, tuple(makers)

    def _policy(self, name: str) -> Policy:
        return self._makers[name](self._catalogue)


def table(
    catalogue: Catalogue, everybody: Sequence[History], makers: dict[str, Maker], users: int, seed: int = 0
) -> Iterator[str]:
    """A line of each variant: nDCG@10, its ratio to the first, and the 95 % interval of the difference by user."""
    run = _Variants(catalogue, everybody, makers)
    results = list(run.run(sample(everybody, users, np.random.default_rng(seed))))
    columns = {name: np.array([r.means[name].ndcg for r in results]) for name in makers}
    first, *_ = columns.values()
    yield f"| {len(results)} users | nDCG@10 | ratio | difference, 95 % |"
    yield "|---|---|---|---|"
    for name, own in columns.items():
        mean, low, high = mean_interval(own - first, np.random.default_rng(seed))
        interval = "-" if own is first else f"{mean:+.4f} ({low:+.4f} to {high:+.4f})"
        yield f"| {name} | {own.mean():.4f} | {own.mean() / first.mean():.3f} | {interval} |"


def main() -> None:
    """Print the table of the two files."""
    from llmrec.engine.cli_evaluate import load

    catalogue, everybody = load(sys.argv[1], sys.argv[2])
    for line in table(catalogue, everybody, dict(variants()), int(sys.argv[3]) if len(sys.argv) > 3 else 80):
        print(line)


if __name__ == "__main__":
    main()
