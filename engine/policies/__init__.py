"""Ranking policies: one contract, many models; `make_policy` builds one by its name."""

from collections.abc import Callable

from llmrec.engine.catalogue import Catalogue
from llmrec.engine.policies.base import Contribution, Policy
from llmrec.engine.policies.blend import Blend
from llmrec.engine.policies.essay import Essay
from llmrec.engine.policies.rocchio import Clock, Rocchio, WordRocchio

_MAKERS: dict[str, Callable[[Catalogue], Policy]] = {
    "blend": Blend,
    "essay": Essay,
    "last": lambda catalogue: Rocchio(catalogue, Clock(last=1)),
    "mean": Rocchio,
    "white": lambda catalogue: Rocchio(catalogue, white=True),
    "tf-idf": WordRocchio,
}
POLICIES = tuple(_MAKERS)
"""Names that `make_policy` knows; the first is the default."""
DEFAULT_POLICY = POLICIES[0]


def make_policy(name: str, catalogue: Catalogue) -> Policy:
    """A fresh policy that knows nothing yet.

    Raises:
        ValueError: no policy has this name; the message lists those there are.
    """
    if name not in _MAKERS:
        raise ValueError(f"No ranking method is called {name!r}. Choose one of: {', '.join(_MAKERS)}.")
    return _MAKERS[name](catalogue)


__all__ = ["DEFAULT_POLICY", "POLICIES", "Contribution", "Policy", "make_policy"]
