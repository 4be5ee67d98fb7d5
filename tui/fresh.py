"""How long an item stays worth reading, as the screens say and ask it."""

from llmrec.engine import HalfLife, Item
from llmrec.engine.half_life import CHOICES
from llmrec.tui.phrases import about
from llmrec.tui.screens.choice import Answer, Choice

_KEYS = dict(zip("dwmy", CHOICES, strict=True))
_AS_BEFORE = "r"


def stays_fresh(half_life: HalfLife | None) -> str:
    """A half-life and who said it: "stays fresh 2 weeks (rule)"; empty where nothing tells."""
    if half_life is None or not half_life.words:
        return ""
    return f"stays fresh {half_life.words} ({half_life.by.partition('@')[0]})"


def described(item: Item | None, half_life: HalfLife | None, now: float, *, tags: int) -> str:
    """Where an item comes from, its age and tags, and how long it stays worth reading, in one line."""
    facts = [about(item, now, tags=tags) if item else "", stays_fresh(half_life)]
    return " · ".join(fact for fact in facts if fact)


def question(choice: Choice, item: Item, now: HalfLife | None) -> Choice:
    """Ask how long an item stays worth reading."""
    answers = [Answer(key, words, key) for key, words in _KEYS.items()]
    if now is not None and now.by == "you":
        answers.append(Answer(_AS_BEFORE, "take my word back", _AS_BEFORE))
    about = f"{item.title}\n{stays_fresh(now) or 'nothing tells yet'}"
    return choice.put("How long does this stay worth reading?", about, answers)


def seconds_of(answer: str) -> float | None:
    """What an answer means; None where models and rules speak again."""
    return CHOICES[_KEYS[answer]] if answer in _KEYS else None
