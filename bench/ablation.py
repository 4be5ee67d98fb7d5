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
from llmrec.engine.interests import InterestModel
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
    """Likeness to the nearest of the few likes that stand for interests (PinnerSage, KDD 2020).

    t log sum_k m_k exp(s_k / t), with s_k the whitened cosine to the medoid of interest k and m_k its share of what is
    always liked, as the app's own interests have them.
    """

    _TEMPERATURE = 0.2

    def __init__(self, catalogue: Catalogue) -> None:
        """Know nothing yet."""
        super().__init__(catalogue)
        self._interests = InterestModel()

    def learn(self, step: Sequence[Interaction]) -> None:
        """Let the clear yeses feed the interests."""
        super().learn(step)
        for event in (step[j] for j in liked(step)):
            self._interests.learn(event, self.catalogue.vector(event), str(event.row))

    def scores(self, now: float) -> FloatArray:
        """The smooth maximum, (n,)."""
        clusters, shares = self._interests.clusters, self._interests.shares(now, lasting=True)
        if not clusters:
            return np.zeros(len(self.catalogue), np.float32)
        near = np.stack([by_white(self.catalogue, c.events[c.medoid()]) for c in clusters])  # (K, n)
        weights = np.maximum([shares[c.leader] for c in clusters], 1e-12)
        mixed = weights @ np.exp(near.astype(np.float64) / self._TEMPERATURE)  # (K,) @ (K, n) -> (n,)
        return np.asarray(self._TEMPERATURE * np.log(mixed), np.float32)

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
