"""A self-check: store, encoder, writer, and whether anything asks for the network."""

import os
import platform
import re
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from llmrec.engine.errors import LlmrecError
from llmrec.engine.facade import Engine
from llmrec.engine.records import DEFAULT_USER
from llmrec.models.clean import clean


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
        yield _writer(engine)
        yield from _process(engine)  # after both models were used, so that it knows where they compute
        yield _ranking(engine)


def _encoder(engine: Engine) -> Check:
    try:
        started = time.perf_counter()
        vectors = engine.embed_texts(["boats and tides", "sailing on the sea", "interest rates"])
        seconds = time.perf_counter() - started
        speed = _rate(engine.encoder_speed())
    except LlmrecError as exc:
        return Check("encoder", False, str(exc))
    close, far = float(vectors[0] @ vectors[1]), float(vectors[0] @ vectors[2])
    note = engine.status().note
    found = f"{engine.encoder_id}, {vectors.shape[1]} dimensions, first answer {seconds:.2f} s{speed}"
    return Check("encoder", close > far or bool(note), f"{found}; {note}" if note else found)


def _writer(engine: Engine) -> Check:
    name = engine.status().writer
    if not name:
        return Check("writer", True, "none in use: texts are the items' own words; `llmrec models list` shows writers")
    try:
        return Check("writer", True, f"{name}{_rate(engine.writer_speed())}")
    except LlmrecError as exc:
        return Check("writer", False, f"{name}: {exc}")


def _rate(tokens_a_second: float | None) -> str:
    return "" if tokens_a_second is None else f", {tokens_a_second:,.0f} tokens a second"


def _process(engine: Engine) -> Iterator[Check]:
    try:
        says = engine.model_process()
    except LlmrecError as exc:
        yield Check("model process", False, str(exc))
        return
    if not says:
        yield Check("model process", True, "none: no model of llama.cpp is in use")
        return
    yield Check("llama.cpp", True, f"{_binding()}; {features(says['system'])}; {says['blas'] or 'no BLAS'}")
    threads = says["threads"]
    yield Check("threads", True, f"{threads} of {os.cpu_count()} cores for the encoder, {max(1, threads - 1)} to write")
    yield Check("offload", True, _offload(says["gpu"], says["cards"], says["offload"]))
    yield Check("model process", True, f"pid {says['pid']}; sandbox {says['sandbox']}")


def _binding() -> str:
    try:
        return f"llama-cpp-python {version('llama-cpp-python')}"
    except PackageNotFoundError:
        return "llama-cpp-python of unknown version"


def features(system: str) -> str:
    """What llama.cpp was built for and found: "CPU with AVX2, FMA" from "CPU : AVX2 = 1 | FMA = 1 | NEON = 0 | "."""
    parts = []
    for device, flags in re.findall(r"(\w+) : ((?:[\w ]+ = [^|]+\| ?)+)", system):
        found = re.findall(r"(\w+) = 1 ", flags)
        parts.append(f"{device} with {', '.join(found)}" if found else device)
    return "; ".join(parts) or system


def _offload(gpu: bool, cards: Sequence[str], layers: dict[str, str]) -> str:
    if not gpu:
        return "none: this build of llama.cpp computes on the processor; CMAKE_ARGS=-DGGML_CUDA=on builds for NVIDIA"
    names = {"embed": "encoder", "write": "writer"}
    told = [f"{names[role]}: {where}" for role, where in layers.items()] or ["no model is loaded"]
    return "; ".join([*told, *(clean(card) for card in cards)])


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
