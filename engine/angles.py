"""Which angles of text a reader opens: a small bandit per angle."""

import json
import math
from dataclasses import dataclass, field

_WEIGHT = 0.1
"""Largest bonus of an angle, beside two cosines."""


@dataclass(slots=True)
class Angles:
    """Times each angle was shown and then opened; the bonus is the smoothed rate against the rate of all.

    The posterior mean of a Beta prior worth two showings (Beta-Bernoulli bandit); it explores by itself, because an
    angle that was never shown has the prior's rate.
    """

    shown: dict[str, int] = field(default_factory=dict)
    opened: dict[str, int] = field(default_factory=dict)

    def show(self, angle: str) -> None:
        """A text of this angle was read."""
        self.shown[angle] = self.shown.get(angle, 0) + 1

    def open(self, angle: str) -> None:
        """The item was opened with a text of this angle beside it."""
        self.opened[angle] = self.opened.get(angle, 0) + 1

    def bonus(self, angle: str) -> float:
        """Addition to the utility of a text of this angle, in about -.1 to .1."""
        overall = (sum(self.opened.values()) + 1) / (sum(self.shown.values()) + 2)
        rate = (self.opened.get(angle, 0) + 2 * overall) / (self.shown.get(angle, 0) + 2)
        return _WEIGHT * math.tanh(math.log(rate / overall))

    def dumps(self) -> str:
        """As a setting."""
        return json.dumps({"shown": self.shown, "opened": self.opened})

    @classmethod
    def loads(cls, text: str) -> "Angles":
        """From a setting; an empty one knows nothing."""
        kept = json.loads(text) if text else {}
        return cls(kept.get("shown", {}), kept.get("opened", {}))
