"""A self-check: store, encoder, writer, and whether anything asks for the network."""

import platform
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from llmrec.engine.errors import LlmrecError
from llmrec.engine.facade import Engine
from llmrec.engine.records import DEFAULT_USER


@dataclass(frozen=True, slots=True)
class Check:
    """One finding."""

    name: str
    ok: bool
    found: str


def checks(db: Path | None, *, airgap: bool) -> list[Check]:
    """All findings; with `airgap`, every socket of this process is refused meanwhile and counted."""
    asked: list[str] = []
    with _no_network(asked) if airgap else _nothing():
        found = list(_checks(db))
    if airgap:
        found.append(Check("network", not asked, "no socket was asked for" if not asked else f"asked for: {asked[0]}"))
    return found


def _checks(db: Path | None) -> Iterator[Check]:
    yield Check("python", True, f"{platform.python_version()} on {platform.system()} {platform.machine()}")
    try:
        engine = Engine.open(db)
    except LlmrecError as exc:
        yield Check("store", False, str(exc))
        return
    with engine:
        state = engine.store.check()
        mode = engine.store.journal_mode()
        yield Check("store", state == "ok", f"{state}; journal {mode}, synchronous full")
        status = engine.status()
        counts = f"{status.items} items, {status.pending} of them without vector, {status.events} log entries"
        yield Check("items", True, counts)
        yield _encoder(engine)
        yield _process(engine)
        yield Check("writer", True, status.writer or "none installed: texts are the items' own words")
        yield _ranking(engine)


def _encoder(engine: Engine) -> Check:
    try:
        started = time.perf_counter()
        vectors = engine.embed_texts(["boats and tides", "sailing on the sea", "interest rates"])
        seconds = time.perf_counter() - started
        speed = _texts_a_second(engine)
    except LlmrecError as exc:
        return Check("encoder", False, str(exc))
    close, far = float(vectors[0] @ vectors[1]), float(vectors[0] @ vectors[2])
    note = engine.status().note
    found = (
        f"{engine.encoder_id}, {vectors.shape[1]} dimensions, first answer {seconds:.2f} s, {speed:.0f} texts a second"
    )
    return Check("encoder", close > far or bool(note), f"{found}; {note}" if note else found)


def _texts_a_second(engine: Engine, count: int = 24) -> float:
    """Speed on texts of about 100 tokens."""
    text = " ".join(["The harbour fills twice a day, and the tide table says when."] * 7)
    started = time.perf_counter()
    engine.embed_texts([f"{k} {text}" for k in range(count)])
    return count / (time.perf_counter() - started)


def _process(engine: Engine) -> Check:
    try:
        says = engine.model_process()
    except LlmrecError as exc:
        return Check("model process", False, str(exc))
    return Check(
        "model process", True, "; ".join(f"{key} {value}" for key, value in says.items() if key not in ("id", "is"))
    )


def _ranking(engine: Engine) -> Check:
    batch = engine.view(DEFAULT_USER)
    ok = bool(np.isfinite(batch.scores).all())
    return Check("ranking", ok, f"{len(batch.ids)} items ranked in {1000 * batch.seconds:.1f} ms")


@contextmanager
def _nothing() -> Iterator[None]:
    yield


@contextmanager
def _no_network(asked: list[str]) -> Iterator[None]:
    """Refuse to make internet sockets, and keep what was asked for."""
    real = socket.socket

    class Refused(real):  # type: ignore[misc, valid-type]
        def __init__(self, family: int = -1, *args: Any, **kwargs: Any) -> None:
            if family in (-1, socket.AF_INET, socket.AF_INET6):
                asked.append(f"socket family {family}")
                raise OSError("the network is blocked during this check")
            super().__init__(family, *args, **kwargs)

    socket.socket = Refused  # type: ignore[misc]
    try:
        yield
    finally:
        socket.socket = real  # type: ignore[misc]
