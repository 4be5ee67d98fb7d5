"""The bundled catalogues and people in a store: the first run without any set-up.

Run as a program, it rebuilds the vectors that ship with the items (`make vectors`).
"""

import time
from pathlib import Path

import numpy as np

from llmrec import sample_data
from llmrec.engine.embedding import keep_probe
from llmrec.engine.facade import Engine
from llmrec.engine.importers import content_hash, event_from_record, item_from_record
from llmrec.engine.probe import Probe, trusted
from llmrec.engine.probe_examples import examples
from llmrec.engine.records import Item

_LOADED = "samples_loaded"
_DAY = 86_400.0


def prepare(engine: Engine, now: float) -> None:
    """Fill an empty store with the bundled items and people; once a day, bring the items' dates up to date."""
    loaded = engine.setting(_LOADED)
    if engine.store.count_items() == 0:
        load_samples(engine, now)
    elif loaded and now - float(loaded) > _DAY:
        engine.add_items(bundled_items(now))
        engine.set_setting(_LOADED, str(now))


def load_samples(engine: Engine, now: float) -> None:
    """Add the bundled items, the example people's events, and the vectors that ship with the items."""
    engine.add_items(bundled_items(now))
    engine.add_events([event_from_record(record, now=now) for record in sample_data.events(now)])
    load_vectors(engine)
    engine.set_setting(_LOADED, str(now))


def load_vectors(engine: Engine) -> int:
    """Keep the shipped vectors if they were made by the encoder in use; returns how many."""
    model, hashes, vectors = sample_data.vectors()
    if model != engine.encoder_id:
        return 0
    keep_probe(engine.store, model, Probe.loads(sample_data.probe()[1], vectors.shape[1]))
    engine.add_vectors([bytes(h) for h in hashes], vectors.astype(np.float32))
    return len(hashes)


def build_vectors(engine: Engine, target: Path) -> int:
    """Embed the bundled items anew and write them, and the encoder's probe, to a file; returns how many.

    Raises:
        ModelError: the encoder failed.
    """
    items = bundled_items(time.time())
    hashes = np.array([np.void(content_hash(item)) for item in items])
    known = examples()
    probe = trusted(engine.embed_items(known.items), known.lasting, known.check)
    np.savez(
        target,
        model=engine.encoder_id,
        hashes=hashes,
        vectors=engine.embed_items(items).astype(np.float16),
        probe=probe.dumps() if probe is not None else "",
    )
    return len(items)


def bundled_items(now: float) -> list[Item]:
    """The bundled items, as old as they are at a moment."""
    return [item_from_record(record, now=now) for record in sample_data.items(now)]


if __name__ == "__main__":
    with Engine.open(":memory:") as opened:
        build_vectors(opened, Path(sample_data.__file__).parent / sample_data.VECTORS)
