"""The first line of a screen: where one is, the parts of the catalogue, mood against taste, and how fast it was."""

from collections.abc import Sequence

from llmrec.engine import Batch
from llmrec.tui.phrases import bar, share
from llmrec.tui.text import fit
from llmrec.tui.widgets.one_line import Bit, OneLine

ALL = "all"
_MOOD_CELLS = 8
_NAME = 16
"""Cells of a domain's name."""


def title_bits(title: str) -> list[Bit]:
    """The name of the app and of the screen."""
    return [Bit(" "), Bit("llmrec  ", "quiet", drop=7), Bit(title, "strong"), Bit("  ")]


def domain_bits(domains: Sequence[str], chosen: str | None) -> list[Bit]:
    """One part per domain, the chosen one in brackets; empty where there is nothing to choose."""
    names = [*domains, ALL]
    if len(domains) < 2:
        return []
    bits = []
    for place, name in enumerate(names):
        here = name == (chosen or ALL)
        press, name = f"domain {place}", fit(name, _NAME, pad=False)
        bits.append(Bit(f"[{name}] ", "chosen", press=press) if here else Bit(f"{name} ", "quiet", 4, press))
    return bits


def batch_bits(batch: Batch | None, user: str) -> list[Bit]:
    """Mood against taste, the user, and the time that ranking took."""
    if batch is None:
        return [Bit("reading the catalogue ", "quiet", drop=3)]
    cells = bar(batch.mood, _MOOD_CELLS).ljust(_MOOD_CELLS, "▁")
    return [
        Bit("mood ", "quiet", drop=3),
        Bit(f"{cells} ", "accent", drop=5),
        Bit(f"{share(batch.mood)} · taste {share(1 - batch.mood)}", "quiet", drop=3),
        Bit(f"   you: {user}", "quiet", drop=6),
        Bit(f"   {1_000 * batch.seconds:.1f} ms ", "quiet", drop=8),
    ]


class Header(OneLine):
    """The first line of a screen."""
