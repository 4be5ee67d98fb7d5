"""The bundled catalogues and people in a store: the first run without any set-up."""

import numpy as np

from llmrec import sample_data
from llmrec.engine.facade import Engine
from llmrec.engine.importers import content_hash, event_from_record, item_from_record


def load_samples(engine: Engine, now: float) -> None:
    """Fill an empty store with the bundled items, the example people's events and the vectors that ship with them."""
    items = [item_from_record(record, now=now) for record in sample_data.items(now)]
    engine.add_items(items)
    engine.add_events([event_from_record(record, now=now) for record in sample_data.events(now)])
    load_vectors(engine)


def load_vectors(engine: Engine) -> int:
    """Keep the shipped vectors if they were made by the encoder in use; returns how many."""
    model, hashes, vectors = sample_data.vectors()
    if model != engine.encoder_id:
        return 0
    engine.add_vectors([bytes(h) for h in hashes], vectors.astype(np.float32))
    return len(hashes)


def build_vectors(engine: Engine, now: float) -> tuple[str, np.ndarray, np.ndarray]:
    """Model id, content hashes (n,) and vectors (n, d) of all bundled items, made by the encoder in use."""
    items = [item_from_record(record, now=now) for record in sample_data.items(now)]
    hashes = np.array([np.void(content_hash(item)) for item in items])
    return engine.encoder_id, hashes, engine.embed_items(items).astype(np.float16)
