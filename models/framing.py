"""Texts framed as something of the day or as something that lasts, for whoever learns to tell them apart.

No collection of news, offers and notices ships with the app, so other texts are told as the one or the other, by
phrases written for this. Phrases that last speak of days, months and numbers as well: it is not these that decide.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_NAMED = 0.5
"""Share of titles that are framed; the others are the item's own."""
_BARE = 0.3
"""Share of texts that are phrases and nothing else."""
_PLAIN = 0.3
"""Share of lasting texts with no phrase at all."""
_SENTENCES = 3
"""Of an item at most."""


@dataclass(frozen=True, slots=True)
class Frames:
    """Sentences and titles by which a text is told; {t} is its title, {n}, {day}, {month} and {year} are drawn."""

    passing: tuple[str, ...]
    """Sentences of something that nobody needs in a year."""
    lasting: tuple[str, ...]
    """Sentences of something still useful then."""
    passing_titles: tuple[str, ...]
    """Titles of the first kind."""
    lasting_titles: tuple[str, ...]
    """Titles of the second."""

    def every(self, step: int, *, kept: bool) -> "Frames":
        """One phrase in `step`, or all the others, so that what is checked was not learned by heart."""
        return Frames(*(tuple(p for n, p in enumerate(own) if (n % step == 0) == kept) for own in self._all))

    def __add__(self, other: "Frames") -> "Frames":
        """The phrases of both."""
        return Frames(*(one + more for one, more in zip(self._all, other._all, strict=True)))

    @property
    def _all(self) -> tuple[tuple[str, ...], ...]:
        return self.passing, self.lasting, self.passing_titles, self.lasting_titles


def framed(title: str, found: Sequence[str], frames: Frames, rng: np.random.Generator) -> tuple[str, str, bool]:
    """Tell a text one way or the other.

    Args:
        title: of the text.
        found: its sentences.
        frames: what it is told by.
        rng: decides which way, by how much, and draws the phrases.

    Returns:
        Title, text, and whether it lasts.
    """
    lasts, bare = bool(rng.random() < 0.5), rng.random() < _BARE
    said, titles = (frames.lasting, frames.lasting_titles) if lasts else (frames.passing, frames.passing_titles)
    count = int(rng.integers(2, 5)) if bare else int(rng.integers(1, 3))
    if lasts and not bare and rng.random() < _PLAIN:
        count = 0
    text = [] if bare else list(found[: int(rng.integers(1, _SENTENCES + 1))])
    for phrase in _drawn(said, count, rng):
        text.insert(int(rng.integers(len(text) + 1)), _filled(phrase, title, rng))
    if rng.random() < _NAMED:
        title = _filled(_drawn(titles, 1, rng)[0], title, rng)
    return title, " ".join(text), lasts


def _drawn(phrases: Sequence[str], count: int, rng: np.random.Generator) -> list[str]:
    """Different phrases."""
    return [phrases[int(n)] for n in rng.permutation(len(phrases))[:count]]


def _filled(phrase: str, title: str, rng: np.random.Generator) -> str:
    return phrase.format(
        t=title,
        n=int(rng.integers(2, 30)),
        day=_DAYS[int(rng.integers(len(_DAYS)))],
        month=_MONTHS[int(rng.integers(len(_MONTHS)))],
        year=int(rng.integers(1700, 1999)),
    )


FRAMES = Frames(
    passing=(
        "It takes place tonight at {n}.",
        "The event is tonight, and a few tickets are left.",
        "Doors open this evening at {n}.",
        "Tomorrow at {n} everybody is invited to take part.",
        "The meeting has been moved to {day} this week.",
        "Registration closes on {day}.",
        "Applications are due by {month} {n}.",
        "The offer ends on {day}.",
        "Now {n} percent off until {day}.",
        "This week only: two for the price of one.",
        "The sale runs until the end of the week.",
        "Only {n} places are left, so book now.",
        "Tickets are on sale until {day}.",
        "Prices go up again on {day}.",
        "Published this morning.",
        "Updated {n} minutes ago.",
        "Updated on {day}, {n} hours after the start.",
        "This is a developing story, and more will follow.",
        "Police said on {day} that nobody was hurt.",
        "A spokesman said on {day} that no decision had been made yet.",
        "A decision is expected on {day}.",
        "The vote is planned for next week.",
        "Voters go to the polls on {day}.",
        "Parliament will debate the plan tomorrow.",
        "The results were announced yesterday.",
        "The minister resigned yesterday after {n} days of talks.",
        "Shares fell {n} percent on {day}.",
        "Oil rose on {day} and closed {n} percent higher.",
        "Trains will run again from {day}.",
        "The road is closed until {day} because of works.",
        "Flights were cancelled this morning because of fog.",
        "Rain is expected tonight, with up to {n} degrees tomorrow.",
        "The storm will reach the coast on {day} night.",
        "Firefighters were still at work this afternoon.",
        "The home side won {n} to 1 last night.",
        "They play again on {day}.",
        "The final is on {day} at {n}.",
        "He was injured in training yesterday and will miss the next match.",
        "We are live now, so join us.",
        "The stream starts in {n} minutes.",
        "The new season starts this week.",
        "The album is out on {day}.",
        "Pre-orders open tomorrow at {n}.",
        "Version {n} was released today.",
        "The server will be down on {day} from {n} for maintenance.",
        "The outage began {n} hours ago and is not solved yet.",
        "Here is what happened this week.",
        "The winners of this month are named below.",
        "The shop is closed today.",
        "Today's special is served until {n}.",
        "The exhibition ends this weekend, on {day}.",
        "Last chance to see it before it closes on {day}.",
        "He will speak in town next {day}.",
        "We are hiring, and applications close in {n} days.",
        "The search for a missing hiker went on overnight.",
        "The strike was called off late on {day}.",
        "Talks resume on {day}.",
        "The deadline was extended by {n} days.",
        "More than {n} people have signed since yesterday.",
        "As of this evening, {n} cases were known.",
        "The power was back in most streets by {day} morning.",
        "So far this year {n} have been counted, and the count goes on.",
        "Your coupon expires in {n} days.",
        "It was announced today that a second date was added.",
        "Good morning, here is the news of the day.",
    ),
    lasting=(
        "This guide explains how it works, step by step.",
        "It explains the basics and needs no knowledge.",
        "The steps are the same every time.",
        "Each chapter ends with {n} exercises and their solutions.",
        "It shows how to begin, and which mistakes to avoid.",
        "The method has been used for centuries.",
        "It has been taught since {year}.",
        "It was founded in {year} and is still there.",
        "In {year} it was described for the first time.",
        "The rule holds for every case.",
        "It is one of {n} kinds.",
        "It lasts for many years if it is kept dry.",
        "It can be repaired with common tools.",
        "The handle is made of oak, and the blade can be sharpened.",
        "It weighs {n} kilograms and fits under a bed.",
        "It comes with a warranty of {n} years.",
        "It is usually open from {day} to {day}.",
        "On {day}s many families meet there.",
        "It is closed on {day}s.",
        "Every {month} the birds return to the same place.",
        "It flowers in {month} and bears fruit in autumn.",
        "It is held each year in {month}.",
        "Most people need {n} hours for it.",
        "Sleep and exercise help, as many studies have found.",
        "The recipe serves {n} and takes an hour.",
        "Mix everything, let it rest for {n} hours, and bake it.",
        "In general, the larger one is the stronger one.",
        "The word comes from Latin.",
        "Its history goes back to {year}.",
        "The theorem was proved in {year}.",
        "Water boils at a lower temperature in the mountains.",
        "It is a good introduction for beginners.",
        "You will learn to read, to draw and to measure.",
        "The course has {n} lessons, which can be taken at any time.",
        "The examples can be run on any computer.",
        "The book has become a classic.",
        "He wrote it in {year}, and it is still read.",
        "She grew up in a village and died in {year}.",
        "These tips hold for any season.",
        "Check the pressure, the chain and the brakes before each ride.",
        "Why this is so is explained below.",
        "The table lists all forms with their meanings.",
        "The law of {year} still applies.",
        "The house has {n} rooms and a garden.",
        "Its roots store water, so it survives dry summers.",
        "Practise for {n} minutes a day.",
        "A simple example makes the idea clear.",
        "It describes the life of people in the {year}s.",
        "The story is set on a single {day}.",
        "In the story, a woman leaves her town and does not come back.",
        "It is based on a novel from {year}.",
        "Choose a size that leaves room for a thumb.",
        "It is useful for travel and at home.",
        "Those who know the pattern can repeat it with other colours.",
        "The map shows every path and spring.",
    ),
    passing_titles=(
        "{t}: this week's news",
        "Tonight: {t}",
        "{t}, live",
        "Last days: {t}",
        "{t}: what happened on {day}",
        "{t} on {day}",
        "Breaking: {t}",
        "{t} today",
        "{n} percent off {t}",
        "{t} tickets on sale",
        "What we know so far about {t}",
        "{t}: results of {day}",
        "{t} again in the news",
        "Weekend events: {t}",
        "{t} postponed",
    ),
    lasting_titles=(
        "A guide to {t}",
        "{t}, explained",
        "How to understand {t}",
        "{t}: an introduction",
        "The history of {t}",
        "Learning {t}",
        "{t} for beginners",
        "What is {t}?",
        "{n} facts about {t}",
        "Understanding {t} in {n} steps",
        "Why {t} matters",
        "The basics of {t}",
        "{t}: tips and mistakes",
    ),
)
"""What the engine's probe learns from."""
