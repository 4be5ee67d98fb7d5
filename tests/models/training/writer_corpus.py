"""A corpus of a few hundred made-up documents, in the format of the training text."""

import json
from pathlib import Path
from typing import Any

import numpy as np

PLACES = ("Skagen", "Lerwick", "Bergen", "Tromsø", "Galway", "Cork", "Oban", "Husum")
PEOPLE = ("Ada Berg", "Tom Lund", "Ida Holm", "Per Dahl", "Eva Strand", "Max Vik")
THINGS = ("lighthouse", "harbour", "bakery", "library", "garden", "windmill", "museum", "theatre")
GENRES = ("Drama", "Comedy", "Western", "Silent")


def make_corpus(folder: Path, documents: int = 60, seed: int = 0) -> Path:
    """Write all files that the writer is trained on; returns the folder."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / "wiki-0.jsonl", (_article(n, rng) for n in range(documents)))
    _write(folder / "films.jsonl", (_film(n, rng) for n in range(4 * documents)))
    for half in ("train", "dev", "test"):
        _write(folder / f"scitldr-{half}.jsonl", (_paper(n, half, rng) for n in range(documents // 3)))
    for shop in ("amazon", "google", "yelp"):
        _write(folder / f"why-{shop}.jsonl", (_reason(n, shop, rng) for n in range(documents // 3)))
    return folder


def _pick(rng: np.random.Generator, choices: tuple[str, ...]) -> str:
    return choices[int(rng.integers(len(choices)))]


def _article(n: int, rng: np.random.Generator) -> dict[str, Any]:
    thing, place, who = _pick(rng, THINGS), _pick(rng, PLACES), _pick(rng, PEOPLE)
    opening = f"The {place} {thing} {n} is a {thing} in the north of {place} built by {who} in {1800 + n}."
    more = f"It was the first {thing} of its kind and {n + 3} visitors climb its stairs every day."
    later = f"The keeper {who} wrote a book about the {thing} for children who like the sea and its storms {n}."
    body = f"{more} {later} In {1900 + n} the {thing} was opened to the public, and fans of old buildings visit it."
    return {"title": f"{place} {thing} {n}", "url": "https://example.org", "text": f"{opening} {more}\n{body}"}


def _film(n: int, rng: np.random.Generator) -> dict[str, Any]:
    place, who, other = _pick(rng, PLACES), _pick(rng, PEOPLE), _pick(rng, PEOPLE)
    title, year, genre = f"Night in {place} {n}", 1920 + n % 80, _pick(rng, GENRES)
    first = f"{title} is a {year} Danish {genre.lower()} film directed by {other} and starring {who}."
    text = f"{first} It tells of a baker from {place} who finds {n + 2} letters in an old boat."
    return {"title": title, "year": year, "genres": [genre], "cast": [who], "text": text, "url": "https://example.org"}


def _paper(n: int, half: str, rng: np.random.Generator) -> dict[str, Any]:
    thing = _pick(rng, THINGS)
    text = (
        f"Finding a {thing} in {half} pictures is hard for number {n}. We propose a new method that finds a {thing} by "
        f"its shadow in {n + 1} steps of {half}. It helps researchers who have few pictures of kind {n} in {half}."
    )
    return {
        "title": f"Finding {thing} {half} {n}",
        "text": text,
        "summaries": [f"A method that finds a {thing} by its shadow"],
    }


def _reason(n: int, shop: str, rng: np.random.Generator) -> dict[str, Any]:
    thing, place = _pick(rng, THINGS), _pick(rng, PLACES)
    return {
        "user": str(n),
        "item": str(n),
        "title": f"{place} {thing} of {shop} {n}",
        "interests": f"This user likes quiet {thing} visits, {shop} outings, storms and bread.",
        "text": f"Fans of a quiet {thing} would enjoy {place} in {shop} week {n}.",
        "why": f"The user would enjoy it because it offers a quiet {thing} with fresh bread in {shop} street {n}.",
    }


def _write(path: Path, rows: Any) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
