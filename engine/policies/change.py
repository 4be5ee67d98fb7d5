"""Has a taste changed? A test on how well the memory of the last days and clicks foretells what is chosen next.

Let u be the place of a choice among all n items, divided by n, and x = -log u, in nats. While a taste is as it was,
choices stand near the top, and x is taken as exponential with the mean m that it usually has for this user, so that an
item at u is chosen with density u^(1/m - 1) / m. The first choice after a change is anybody's guess (density 1) and
speaks for the change by

    d = log m - (1 - 1/m) x

nats. A later one may be as well, or it may be foretold by the session's experts, at a place u_s of their own; with
both equally likely it speaks for the change by

    r = log(e^d / 2 + e^f / 2),    f = (1 - 1/m) (x_s - x).

Doubt is Page's cumulative sum (Biometrika, 1954), S <- max(0, S + r), and the choice at which it left zero may have
begun the new taste. One odd click must not empty a memory, so it begins anew only at a second choice, and one that
those of the run before it foretell: d < 0 at its place by their likeness alone.

A choice that surprises the memory of the present taste, d > .2, but not the experts that remember everything, d < 0,
is taken for a return to the taste before.

On spliced histories of real users (`drift`), x by fifteen likes tells the second click of another person from one more
of the same person's with an AUC of .98 on music and .75 on films; how much better the click before foretells it, which
is what moves the mood, with .88 and .68.
"""

import math
from dataclasses import dataclass

_USUAL, _CAUTION = 1.5, 4.0
"""Mean of x that is believed of a new user, and with how many steps' worth of belief."""
_LEAST = 1.05
"""Smallest mean: below 1 a choice would count as foretold for standing far down."""
_RETURN = 0.2
"""Nats by which a choice must surprise to be a return. At 0 one random click replaces three of the first ten films."""
_ENOUGH = 0.8
"""Nats of doubt from which a memory may begin anew. With .6, one random click replaces three of the first ten films
and not two; with one, a tenth less of an old taste is there five clicks after the return."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """Whether the taste is still what it was."""

    evidence: float = 0.0
    """S, in nats."""
    begins: int = 0
    """Index of the event at which S left zero."""

    def after(self, x: float, x_session: float, mean: float, event: int) -> "Doubt":
        """What is thought after one more choice.

        Args:
            x: by the memory that is doubted.
            x_session: x_s, by the session's experts.
            mean: m, the usual x.
            event: index of the choice.
        """
        guessed = surprise(x, mean)
        if self.evidence <= 0:
            return Doubt(max(0.0, guessed), event)
        foretold = (1 - 1 / mean) * (max(x_session, 0.0) - max(x, 0.0))
        speaks = math.log(math.exp(guessed) + math.exp(foretold)) - math.log(2)
        return Doubt(max(0.0, self.evidence + speaks), self.begins)

    def is_strong(self, event: int) -> bool:
        """Whether it suffices for a change, if the choice with this index fits those of the run before it."""
        return self.evidence > _ENOUGH and self.begins < event


NONE = Doubt()


def usual(gained: float, steps: float, log_n: float) -> float:
    """The mean m of x for a user.

    Args:
        gained: fading sum over past steps of -log place, in nats.
        steps: fading number of these steps.
        log_n: logarithm of the number of items that places are counted among.
    """
    return max(_LEAST, log_n + (gained + _CAUTION * (_USUAL - log_n)) / (steps + _CAUTION))


def surprise(x: float, mean: float) -> float:
    """Nats by which a choice speaks for anybody's guess (d), against the usual taste of mean `mean`."""
    return math.log(mean) - (1 - 1 / mean) * max(x, 0.0)


def is_return(x: float, mean: float, x_lasting: float, mean_lasting: float) -> bool:
    """Whether a choice leads back to the taste before: x and m of the passing memory, and of what remembers all."""
    return surprise(x, mean) > _RETURN and surprise(x_lasting, mean_lasting) < 0
