"""The header reader: what it reads of good files, and that no damaged file gets past it or hangs it (T12)."""

import random
import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import gguf
import pytest

from llmrec.models import Prompt
from llmrec.models.check import admit
from llmrec.models.errors import ModelError, ModelNotFound, ModelRejected
from llmrec.models.gguf_header import read_header
from llmrec.models.host import Host
from llmrec.models.llamacpp import LlamaEmbedder, LlamaWriter
from tests.models.tiny import tiny_llama

MUTANTS = 100


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_llama(tmp_path_factory.mktemp("gguf") / "base.gguf", layers=1, dim=32)


@pytest.fixture
def vocabulary_only(tmp_path: Path) -> Path:
    """A file with a tokenizer and no tensors."""
    path = tmp_path / "vocabulary.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(64)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(["a", "b"])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    return path


def test_reads_what_the_library_wrote(base: Path) -> None:
    ours, theirs = read_header(base), gguf.GGUFReader(base)
    assert [tensor.name for tensor in ours.tensors] == [tensor.name for tensor in theirs.tensors]
    assert [list(tensor.shape) for tensor in ours.tensors] == [tensor.shape.tolist() for tensor in theirs.tensors]
    assert [ours.data_start + t.offset for t in ours.tensors] == [int(t.data_offset) for t in theirs.tensors]
    assert [tensor.size for tensor in ours.tensors] == [int(tensor.n_bytes) for tensor in theirs.tensors]
    assert ours.metadata["llama.rope.freq_base"] == 10_000.0
    assert ours.metadata["tokenizer.ggml.add_bos_token"] is False
    assert ours.number("context_length") == 512
    assert not ours.is_encoder


def test_block_sizes_are_the_librarys(base: Path) -> None:
    from llmrec.models.gguf_header import _BLOCKS

    assert {int(kind): size for kind, size in gguf.GGML_QUANT_SIZES.items() if int(kind) in _BLOCKS} == _BLOCKS


def put(offset: int, code: str, value: int) -> Callable[[bytearray], None]:
    def change(data: bytearray) -> None:
        struct.pack_into(code, data, offset, value)

    return change


def cut(data: bytearray) -> None:
    del data[-100:]


BROKEN: list[tuple[str, Callable[[bytearray], object], str]] = [
    ("empty", lambda data: data.clear(), "fewer than 24 bytes"),
    ("another format", put(0, "<I", 0x04034B50), "does not start with GGUF"),
    ("version 1", put(4, "<I", 1), "version 1"),
    ("version of the other byte order", put(4, "<I", 3 << 24), "version"),
    ("2^63 tensors", put(8, "<Q", 1 << 63), "tensors"),
    ("2^64 keys", put(16, "<Q", (1 << 64) - 1), "keys"),
    ("a key of 2^31 bytes", put(24, "<Q", 1 << 31), "claims 2147483648 bytes"),
    ("no tensors", put(8, "<Q", 0), "no weights"),
    ("cut short", cut, "cut short"),
    ("only the first 24 bytes", lambda data: data.__delitem__(slice(24, None)), "cut short"),
]


@pytest.mark.parametrize(("change", "says"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN])
def test_a_broken_file_is_refused_in_one_line(
    base: Path, tmp_path: Path, change: Callable[[bytearray], object], says: str
) -> None:
    data = bytearray(base.read_bytes())
    change(data)
    (tmp_path / "bad.gguf").write_bytes(data)
    with pytest.raises(ModelRejected) as caught:
        read_header(tmp_path / "bad.gguf")
    assert says in str(caught.value)
    assert "bad.gguf" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_another_error(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match="llmrec models"):
        read_header(tmp_path / "none.gguf")


@pytest.mark.parametrize("role", ["embed", "write"])
def test_a_tokenizer_without_weights_is_refused_and_the_host_goes_on(
    vocabulary_only: Path, writer_file: Path, host: Host, role: str
) -> None:
    model = LlamaEmbedder(vocabulary_only, host) if role == "embed" else LlamaWriter(vocabulary_only, host)
    with pytest.raises(ModelRejected, match="no weights"):
        model.embed(["text"]) if isinstance(model, LlamaEmbedder) else model.score(Prompt("", "a"), ["b"])
    assert len(LlamaWriter(writer_file, host).score(Prompt("", "a"), ["b"])) == 1


def test_tokenizers_of_the_shared_fixtures_are_refused(shared: Path) -> None:
    files = sorted((shared / "fixtures" / "vocab-only").glob("*.gguf"))
    assert len(files) == 3
    for file in files:
        for role in ("embed", "write"):
            with pytest.raises(ModelRejected, match="no weights"):
                admit(file, role)


def mutate(data: bytearray, rng: random.Random, header: int) -> None:
    """Damage a file in one of the ways that have crashed loaders before."""
    kind = rng.choice(["truncate", "flip", "boundary", "splice", "zero", "repeat"])
    at = rng.randrange(header)
    if kind == "truncate":
        del data[rng.randrange(len(data)) :]
    elif kind == "flip":
        for _ in range(rng.randint(1, 8)):
            data[rng.randrange(header)] ^= 1 << rng.randrange(8)
    elif kind == "boundary":
        value = rng.choice([0, 1, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, 1 << 42, 1 << 63, (1 << 64) - 1])
        data[at : at + 8] = value.to_bytes(8, "little")
    elif kind == "splice":
        start = rng.randrange(header)
        data[at : at + 16] = data[start : start + 16]
    elif kind == "zero":
        data[at : at + rng.randint(1, 64)] = bytes(rng.randint(1, 64))
    else:
        data[at:at] = data[at : at + rng.randint(1, 64)]


def test_mutants_never_harm_the_app(base: Path, tmp_path: Path, host: Host) -> None:
    """T12 at the size of a pull request: every mutant is refused or runs, and the host always answers again."""
    rng = random.Random(12)
    clean, header = base.read_bytes(), read_header(base).data_start
    ran, refused = 0, []
    for n in range(MUTANTS):
        data = bytearray(clean)
        mutate(data, rng, header)
        path = tmp_path / f"{n}.gguf"
        path.write_bytes(data)
        try:
            list(LlamaWriter(path, host).stream(Prompt("", "abc"), max_tokens=2))
            ran += 1
        except ModelError as exc:
            refused.append(str(exc))
        path.unlink()
    assert len(refused) + ran == MUTANTS
    assert len(refused) > MUTANTS / 2
    assert not [line for line in refused if "\n" in line]
    copy = shutil.copy(base, tmp_path / "again.gguf")
    assert "".join(LlamaWriter(Path(copy), host).stream(Prompt("", "abc"), max_tokens=4))


def test_a_pinned_hash_refuses_every_altered_byte(base: Path, tmp_path: Path) -> None:
    from llmrec.models.hashes import sha256_of

    pin, rng = sha256_of(base), random.Random(1)
    assert admit(base, "write", sha256=pin).header.architecture == "llama"
    for _ in range(30):
        data = bytearray(base.read_bytes())
        data[rng.randrange(read_header(base).data_start, len(data))] ^= 1 << rng.randrange(8)
        (tmp_path / "altered.gguf").write_bytes(data)
        with pytest.raises(ModelRejected, match="SHA-256"):
            admit(tmp_path / "altered.gguf", "write", sha256=pin)
