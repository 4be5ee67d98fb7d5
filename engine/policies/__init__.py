"""Ranking policies: one contract, many models; `make_policy` builds one by its name."""

from collections.abc import Callable

from llmrec.engine.catalogue import Catalogue
from llmrec.engine.policies.base import Contribution, Policy
from llmrec.engine.policies.baselines import Nearest, Newest, RandomOrder, Svm
from llmrec.engine.policies.blend import Blend
from llmrec.engine.policies.essay import Essay
from llmrec.engine.policies.mix import Mix
from llmrec.engine.policies.rocchio import Clock, Rocchio, WordRocchio
from llmrec.engine.policies.shortlist import Shortlist
from llmrec.engine.wide import WideCatalogue


def _mean(white: bool = False, **clock: float) -> Callable[[Catalogue], Policy]:
    return lambda catalogue: Rocchio(catalogue, Clock(**clock), white=white)  # type: ignore[arg-type]


_MAKERS: dict[str, Callable[[Catalogue], Policy]] = {
    "blend": Blend,
    "essay": Essay,
    "mix": Mix,
    "white": _mean(white=True),
    "white-10e": _mean(white=True, events=10),
    "tf-idf": WordRocchio,
    "svm": Svm,
    "nearest": Nearest,
    "mean": _mean(),
    "mean-3e": _mean(events=3),
    "mean-10e": _mean(events=10),
    "mean-30e": _mean(events=30),
    "mean-1d": _mean(days=1),
    "mean-7d": _mean(days=7),
    "mean-60d": _mean(days=60),
    "last": _mean(last=1),
    "recency": Newest,
    "random": RandomOrder,
}
POLICIES = ("blend", "essay")
"""The policies for use; the first is the default."""
BASELINES = tuple(name for name in _MAKERS if name not in POLICIES)
"""Methods to compare with."""
DEFAULT_POLICY = POLICIES[0]


def make_policy(name: str, catalogue: Catalogue) -> Policy:
    """A fresh policy that knows nothing yet; on a catalogue too large to score whole, it ranks a shortlist.

    Raises:
        ValueError: no policy has this name; the message lists those there are.
    """
    if name not in _MAKERS:
        raise ValueError(f"No ranking method is called {name!r}. Choose one of: {', '.join(_MAKERS)}.")
    if isinstance(catalogue, WideCatalogue):
        return Shortlist(catalogue, _MAKERS[name])
    return _MAKERS[name](catalogue)


__all__ = ["BASELINES", "DEFAULT_POLICY", "POLICIES", "Contribution", "Policy", "make_policy"]
