"""Rules of wording for the writer's examples: which sentence an angle wants, how it is shortened, what must be dropped.

Answers are spans of the item or compressions of it wherever they can be: copying is what a small model can learn, and
what keeps names and numbers right.
"""

import re
from collections.abc import Sequence

from llmrec.models.prompts import is_whole
from llmrec.models.sentences import sentences, ungrounded

_MAX_ANSWER = 200
"""Characters; about 50 tokens, so that an answer ends before the app cuts it."""
_LONG, _SHORTEST = 150, 60
_BRACKETS = re.compile(r"\s*[(\[][^()\[\]]*[)\]]")
_TAIL = re.compile(
    r"(?:, (?:which|who|where|while|although|though|but|despite|providing|making it|creating)\b|;| [–-] )"
)
_CLAUSE = re.compile(
    r",? (?:directed|written|produced|starring|based|released|from|by|with|and|in|which|who|that|about|set)\b|[,;]"
)
_DANGLING = re.compile(
    r"(?:,? \b(?:directed|written|produced|edited|scripted|released|based|starring|co-\w+|set|and|by|from|with|in|of|"
    r"on|to|the|a|an|is|was|it|as|for))+$"
)
_FIRST_ADJECTIVE = re.compile(r"(?<=\d{4} )(?:[A-Z][\w-]+ )+")
_DEPENDENT = re.compile(
    r"^(?:he|she|it|they|his|her|its|their|this|these|that|those|such|however|but|and|also|other|another|then|later|"
    r"there|in addition|for example|thus|therefore|instead|both)\b",
    re.I,
)
_DEFINES = re.compile(r"\b(?:is|are|was|were) (?:a|an|the|one of)\b|\bwe (?:propose|present|introduce)\b", re.I)
_CONTRIBUTES = re.compile(
    r"\b(?:we|this (?:paper|work|article|study)) (?:\w+ )?(?:propos|present|introduc|develop|describ|investigat|study|"
    r"studies|explor|show|demonstrat|provid|address|analy[sz]|design|extend|examin)\w*",
    re.I,
)
"""What a paper's own contribution is announced by."""
_CUES = {
    "new": re.compile(
        r"\b(?:new(?:ly)?|first|only|unique\w*|unlike|special\w*|introduc\w+|invent\w+|novel|original\w*|award\w*|"
        r"known|famous|largest|record|innovat\w+|propos\w+|pioneer\w*|notabl\w+|rare|unusual|outperform\w*)\b",
        re.I,
    ),
    "who": re.compile(
        r"\b(?:readers?|fans?|children|students?|beginners?|people|users?|visitors?|players?|audiences?|famil(?:y|ies)|"
        r"women|men|parents?|popular|learners?|travell?ers?|those who|anyone|adults?|teachers?|workers?|owners?|"
        r"practitioners?|researchers?|suits?|designed for|intended for|open to|required?)\b",
        re.I,
    ),
    "detail": re.compile(r"\d[\d,.]*|(?<!^)\b[A-Z][\w-]+"),
}
_WORD = re.compile(r"[^\W\d_]{5,}")
_STEM = 5
_COMMON = frozenset(
    """
    about above after again against almost along already although always among another around because became become
    before began being below between called could during early either every first following found great group having
    however itself known large later least might never often other others people place rather since small several
    should still their there these thing things those though three through time today together under until using
    usually various which while whole within without world would years where whose based include includes including
    included likely enjoy enjoys reader readers users user person business businesses appreciate interested prefer
    appears seems offer offers films novel novels reviews purchased
    """.split()  # noqa: SIM905
)


def tidied(sentence: str) -> str:
    """A sentence short enough for an answer: brackets go, then what hangs on at its end; "" where none remains."""
    text = " ".join(_BRACKETS.sub("", sentence).replace(" ,", ",").split())
    if len(text) > _LONG:
        ends = [found.start() for found in _TAIL.finditer(text) if _SHORTEST <= found.start() <= _LONG]
        text = f"{text[: ends[-1]]}." if ends else text
    fits = len(text) <= _MAX_ANSWER and is_whole(text) and text.count('"') % 2 == 0
    return text if fits and (text[0].isupper() or text[0].isdigit()) else ""


def grounded_start(sentence: str, source: str) -> str:
    """The longest beginning of a sentence whose names and numbers are all in the source; "" where it says too little.

    Adjectives of a country behind a year ("a 1922 American film") are left out where the source lacks them.
    """
    text = _FIRST_ADJECTIVE.sub(lambda m: "" if ungrounded(f"a {m.group()}", source) else m.group(), sentence)
    while missing := ungrounded(text, source):
        at = text.index(missing[0])
        cuts = [found.start() for found in _CLAUSE.finditer(text) if found.start() < at]
        if not cuts or len(text[: cuts[-1]].split()) < 6:
            return ""
        text = _DANGLING.sub("", text[: cuts[-1]].rstrip(" ,;")) + "."
    return text if is_whole(text) else ""


def supported(answer: str, source: str) -> float:
    """Share of the longer words of an answer that begin as a word of its source does, 0 to 1."""
    known = {stem(word) for word in _WORD.findall(source)}
    words = [stem(word) for word in _WORD.findall(answer)]
    return sum(word in known for word in words) / len(words) if words else 1.0


def choose(angle: str, title: str, found: Sequence[str]) -> str:
    """The sentence of an item that an angle asks for, tidied; "" where none can stand alone.

    Args:
        angle: as in `prompts.ANGLES`.
        title: the item's.
        found: its sentences, in order.
    """
    usable = [(place, sentence, text) for place, sentence in enumerate(found) if (text := tidied(sentence))]
    if not usable:
        return ""
    scores = [
        _score(angle, title, place, sentence) + _place(angle, place / len(found)) for place, sentence, _ in usable
    ]
    return usable[scores.index(max(scores))][2]


def words_of(text: str, pattern: re.Pattern[str] = _WORD) -> list[str]:
    """Longer words of a text in small letters, without the commonest, in order and once each."""
    return list(dict.fromkeys(w for w in map(str.casefold, pattern.findall(text)) if w not in _COMMON))


def stem(word: str) -> str:
    """Its beginning, by which forms of a word are one."""
    return word.casefold()[:_STEM]


def standing_alone(text: str) -> list[str]:
    """Tidied sentences of a text that do not lean on the one before."""
    return [short for s in sentences(text) if not _DEPENDENT.match(s) and (short := tidied(s))]


def _score(angle: str, title: str, place: int, sentence: str) -> float:
    contributes = _CONTRIBUTES.search(sentence)
    leans = 1.5 if _DEPENDENT.match(sentence) and not (contributes and contributes.start() == 0) else 0.0
    if angle == "plain":
        names = sum(word in sentence.casefold() for word in title.casefold().split() if len(word) > 3)
        says = bool(_DEFINES.search(sentence)) + bool(contributes)
        return min(names, 4) + 1.5 * says + (1.0 if place == 0 else 0.0) - leans
    cues = len({found.casefold() for found in _CUES[angle].findall(sentence)})
    return min(cues, 4) - leans - (1.0 if place == 0 else 0.0)


def _place(angle: str, place: float) -> float:
    """Ties: what is new stands early, whom it is for stands late; `place` is 0 to 1."""
    return {"new": -0.5, "who": 0.5}.get(angle, -0.01) * place
