"""`llmrec demo`: the whole loop as text, on the bundled items and one example person."""

import time
from collections.abc import Iterator

from llmrec import sample_data
from llmrec.engine.errors import UnknownUser
from llmrec.engine.facade import Engine
from llmrec.engine.records import NEW, Batch, Kind, View
from llmrec.engine.samples import load_samples

_SHOWN = 8


def run(user: str) -> Iterator[str]:
    """Lines of the demonstration: the list, three clicks, and what each changed.

    Raises:
        UnknownUser: it is none of the example people.
    """
    if user not in sample_data.PEOPLE:
        raise UnknownUser(f"{user!r} is no example person. Choose one of {', '.join(sample_data.PEOPLE)}.")
    with Engine.open(":memory:") as engine:
        load_samples(engine, time.time())
        yield from _models(engine)
        yield from _interests(engine, user)
        view = View(domain="feed")
        batch = engine.view(user, view)
        yield "\nThe feed before any click"
        yield from _rows(engine, batch)
        for click in range(3):
            item = batch.ids[2 * click + 1]  # rows 2, 4 and 6: what a reader who scans the top might like
            batch = engine.record(user, item, Kind.LIKE, view=view)
            yield f'\nClick {click + 1}: like "{engine.item(item).title}"'
            if batch.change is not None:
                change = batch.change
                yield f"  {change.interest} {change.amount:+.2f}, {change.moved_up} items moved up, {_ms(batch)}"
            yield from _rows(engine, batch)
        yield from _text(engine, user, batch)
        batch = engine.undo(user, view=view)
        yield f'\nUndo: "{batch.change.title if batch.change else ""}" is taken back, {_ms(batch)}'
        yield from _rows(engine, batch, 3)


def _ms(batch: Batch) -> str:
    return f"{1000 * batch.seconds:.1f} ms"


def _models(engine: Engine) -> Iterator[str]:
    status = engine.status()
    writer = status.writer or "none, so texts are the items' own words"
    yield f"{status.items} items; encoder {status.encoder}; writer {writer}"
    if status.note:
        yield f"note: {status.note}"
    for progress in engine.index():
        if progress.done == progress.total:
            yield f"{progress.total} vectors made"


def _interests(engine: Engine, user: str) -> Iterator[str]:
    yield f"\nWhat {user} likes              now  always"
    for interest in engine.interests(user)[:6]:
        yield f"  {', '.join(interest.words):<26.26} {interest.now:>4.0%}  {interest.always:>5.0%}"


def _rows(engine: Engine, batch: Batch, count: int = _SHOWN) -> Iterator[str]:
    items = engine.items(batch.ids[:count])
    for rank, (item, move) in enumerate(zip(items, batch.moves[:count], strict=True), start=1):
        yield f"  {rank:>2} {_move(int(move)):>4}  {item.title:<52.52} {item.tags[0] if item.tags else ''}"


def _move(move: int) -> str:
    if move == NEW:
        return "new"
    return f"▲{move}" if move > 0 else f"▼{-move}" if move < 0 else "="


def _text(engine: Engine, user: str, batch: Batch) -> Iterator[str]:
    *_, written = engine.write(user, batch.ids[0])
    yield f'\nWords for "{engine.item(batch.ids[0]).title}"'
    for number, candidate in enumerate(written.candidates):
        yield f"  {'>' if number == written.chosen else ' '} p {candidate.p:.2f}  {candidate.text}"
    if written.note:
        yield f"  {written.note}"
