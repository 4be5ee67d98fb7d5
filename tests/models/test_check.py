"""Model files in every bad state (T13): one clear line each, before llama.cpp sees the file, and the host goes on."""

import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from llmrec.models import Prompt
from llmrec.models.check import admit, available_memory, stamp_of
from llmrec.models.errors import ModelError, ModelNotFound, ModelRejected
from llmrec.models.gguf_header import read_header
from llmrec.models.hashes import HashCache, sha256_of
from llmrec.models.host import Host
from llmrec.models.llamacpp import LlamaEmbedder, LlamaWriter
from tests.models.tiny import tiny_llama

PROMPT = Prompt("", "a film")


def missing(path: Path) -> None:
    path.unlink()


def unreadable(path: Path) -> None:
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def empty(path: Path) -> None:
    path.write_bytes(b"")


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def dangling_link(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.with_name("nowhere"))


def sparse(path: Path) -> None:
    os.truncate(path, 200 << 30)


def a_text(path: Path) -> None:
    path.write_text("not a model\n" * 100)


def half(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def another_architecture(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data.replace(b"llama", b"lemma"))


STATES: list[Callable[[Path], None]] = [
    missing,
    unreadable,
    folder,
    empty,
    pipe,
    dangling_link,
    sparse,
    a_text,
    half,
    another_architecture,
]


@pytest.mark.parametrize("state", STATES)
def test_a_file_in_a_bad_state_is_one_clear_line(
    writer_file: Path, tmp_path: Path, host: Host, state: Callable[[Path], None]
) -> None:
    path = Path(shutil.copy(writer_file, tmp_path / "model.gguf"))
    state(path)
    with pytest.raises(ModelError) as caught:
        list(LlamaWriter(path, host).stream(PROMPT, max_tokens=2))
    assert "model.gguf" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "".join(LlamaWriter(writer_file, host).stream(PROMPT, max_tokens=4))


def test_a_model_too_large_for_the_memory_is_refused_before_it_is_loaded(writer_file: Path) -> None:
    size = writer_file.stat().st_size
    with pytest.raises(ModelRejected, match="are free"):
        admit(writer_file, "write", free_memory=lambda: size)
    assert admit(writer_file, "write", free_memory=lambda: size * 2).header.size == size
    assert admit(writer_file, "write", free_memory=lambda: None)


def test_the_host_asks_the_memory_it_was_given(writer_file: Path) -> None:
    poor = Host(free_memory=lambda: 1000)
    with pytest.raises(ModelRejected, match="are free"):
        list(LlamaWriter(writer_file, poor).stream(PROMPT))
    poor.close()


def test_the_system_says_how_much_memory_is_free() -> None:
    free = available_memory()
    assert free is None or free > 1 << 20


def test_a_file_replaced_while_it_loads_is_refused_or_whole(writer_file: Path, tmp_path: Path, host: Host) -> None:
    """Two models take turns under one name while they are loaded: what answers is one of them, or a clear line."""
    path = Path(shutil.copy(writer_file, tmp_path / "model.gguf"))
    other = tiny_llama(tmp_path / "other.gguf", seed=9)
    known = {
        "".join(LlamaWriter(file, host).stream(PROMPT, max_tokens=6, temperature=0)) for file in (writer_file, other)
    }
    stop = threading.Event()

    def swap() -> None:
        turn = 0
        while not stop.is_set():
            shutil.copy((writer_file, other)[turn % 2], tmp_path / "next")
            os.replace(tmp_path / "next", path)
            turn += 1

    swapping = threading.Thread(target=swap)
    swapping.start()
    answers, refusals = set(), 0
    for _ in range(12):
        try:
            answers.add("".join(LlamaWriter(path, host).stream(PROMPT, max_tokens=6, temperature=0)))
            list(LlamaWriter(writer_file, host).stream(PROMPT, max_tokens=1))
        except ModelRejected:
            refusals += 1
    stop.set()
    swapping.join()
    assert answers <= known
    assert len(answers) + refusals > 0


def test_a_file_that_changed_since_it_was_loaded_is_loaded_anew(writer_file: Path, tmp_path: Path, host: Host) -> None:
    path = Path(shutil.copy(writer_file, tmp_path / "model.gguf"))
    writer = LlamaWriter(path, host)
    before = "".join(writer.stream(PROMPT, max_tokens=6, temperature=0))
    os.replace(tiny_llama(tmp_path / "other.gguf", seed=9), path)
    assert "".join(writer.stream(PROMPT, max_tokens=6, temperature=0)) != before


def test_an_encoder_replaced_behind_its_id_is_refused(encoder_file: Path, tmp_path: Path, host: Host) -> None:
    """Vectors are kept under the id, so they must come from the file that the id was made of."""
    path = Path(shutil.copy(encoder_file, tmp_path / "model.gguf"))
    embedder = LlamaEmbedder(path, host)
    assert embedder.embed(["text"]).shape == (1, 384)
    with path.open("ab") as file:
        file.write(b"more")
    with pytest.raises(ModelRejected, match="SHA-256"):
        embedder.embed(["text"])


def test_a_pinned_file_that_was_altered_never_reaches_llama_cpp(writer_file: Path, tmp_path: Path, host: Host) -> None:
    pin = sha256_of(writer_file)
    altered = tmp_path / "altered.gguf"
    data = bytearray(writer_file.read_bytes())
    data[-1] ^= 1
    altered.write_bytes(data)
    with pytest.raises(ModelRejected, match="SHA-256"):
        list(LlamaWriter(altered, host, sha256=pin).stream(PROMPT))


def test_a_missing_file_says_which_command_brings_it(tmp_path: Path) -> None:
    for check in (lambda: read_header(tmp_path / "x.gguf"), lambda: admit(tmp_path / "x.gguf", "embed")):
        with pytest.raises(ModelNotFound, match="llmrec models"):
            check()


def test_hashes_are_remembered_until_the_file_changes(tmp_path: Path) -> None:
    file, cache = tmp_path / "file", tmp_path / "cache" / "hashes.json"
    file.write_bytes(b"one")
    first = HashCache(cache).digest(file)
    assert first == sha256_of(file)
    stat = file.stat()
    file.write_bytes(b"two")
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert HashCache(cache).digest(file) == first, "same size and time: not read again"
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))
    assert HashCache(cache).digest(file) == sha256_of(file) != first


@pytest.mark.parametrize("content", ["", "[]", "{", "[" * 100_000, '{"a": 1}'])
def test_a_damaged_or_unwritable_cache_does_no_harm(tmp_path: Path, content: str) -> None:
    file, cache = tmp_path / "file", tmp_path / "hashes.json"
    file.write_bytes(b"one")
    cache.write_text(content)
    assert HashCache(cache).digest(file) == sha256_of(file)
    assert HashCache(file / "under a file").digest(file) == sha256_of(file)
    assert HashCache(None).digest(file) == sha256_of(file)


def test_a_stamp_changes_with_the_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    before = stamp_of(tmp_path / "a")
    (tmp_path / "b").write_text("b")
    os.replace(tmp_path / "b", tmp_path / "a")
    assert stamp_of(tmp_path / "a") != before
