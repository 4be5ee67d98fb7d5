"""What each part of the default policy is worth: nDCG@10 with one part left out at a time.

    python bench/ablation.py items.jsonl events.jsonl [users]

Uses the vectors that `llmrec evaluate` keeps in its cache.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from llmrec.engine.catalogue import Catalogue
from llmrec.engine.evaluate import Evaluation, History, sample
from llmrec.engine.policies.blend import Blend
from llmrec.engine.policies.experts import PLAIN, RECIPE, WHITE, WORDS, Expert, Recipe


def variants() -> Iterator[tuple[str, Recipe]]:
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


class _Variants(Evaluation):
    """Evaluation whose methods are recipes of one policy."""

    def __init__(self, catalogue: Catalogue, everybody: Sequence[History], recipes: dict[str, Recipe]) -> None:
        super().__init__(catalogue, everybody, ())
        self.recipes, self._names = recipes, tuple(recipes)

    def _policy(self, name: str) -> Blend:
        return Blend(self._catalogue, self.recipes[name])


def table(
    catalogue: Catalogue, everybody: Sequence[History], recipes: dict[str, Recipe], users: int, seed: int = 0
) -> dict[str, float]:
    """Mean nDCG@10 by variant."""
    run = _Variants(catalogue, everybody, recipes)
    results = list(run.run(sample(everybody, users, np.random.default_rng(seed))))
    return {name: float(np.mean([r.means[name].ndcg for r in results])) for name in recipes}


def main() -> None:
    from llmrec.engine.cli_evaluate import load

    catalogue, everybody = load(sys.argv[1], sys.argv[2])
    found = table(catalogue, everybody, dict(variants()), int(sys.argv[3]) if len(sys.argv) > 3 else 80)
    for name, ndcg in found.items():
        print(f"{name:30s} {ndcg:.4f} {100 * (ndcg / found['blend'] - 1):+6.1f} %")


if __name__ == "__main__":
    main()
