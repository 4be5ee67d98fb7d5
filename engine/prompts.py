"""What a writer is asked about an item; the words themselves are `llmrec.models.prompts`, which it was trained on."""

from collections.abc import Sequence

from llmrec.engine.records import Item
from llmrec.models import Prompt, prompts
from llmrec.models.prompts import ANGLES, MAX_TOKENS, TEMPERATURE, is_whole, reply

__all__ = ["ANGLES", "MAX_TOKENS", "TEMPERATURE", "blurb", "is_whole", "reply", "still_useful", "without_interests"]


def blurb(item: Item, angle: str, interests: Sequence[str] = ()) -> Prompt:
    """Ask for one sentence from an angle; angle "you" needs the words of the reader's interests."""
    return prompts.blurb(item.title, item.text, angle, interests)


def without_interests(item: Item) -> Prompt:
    """The same request for nobody in particular, for pointwise mutual information."""
    return prompts.blurb(item.title, item.text, "plain")


def still_useful(item: Item) -> Prompt:
    """The one yes/no question whose answer gives an item's half-life."""
    return prompts.still_useful(item.title, item.text)
