"""The two protocols over llama.cpp: `LlamaEmbedder` and `LlamaWriter`, both on one shared host.

Nothing is loaded or hashed before it is needed, and nothing here imports llama.cpp.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from llmrec.models import JOBS, FloatArray, Prompt
from llmrec.models.errors import ModelError, ModelFailed
from llmrec.models.gguf_header import read_header
from llmrec.models.hashes import HashCache
from llmrec.models.host import Host, ModelFile

_SLICE = 4_000
"""Characters sent at once: about half a second of work, so that an urgent request never waits longer."""
COPIES_ONLY, JOBS_KEY = "llmrec.copies_only", "llmrec.jobs"
"""Keys of a GGUF header; jobs are parted by commas."""
_CUT = 16_000
"""Characters of one text that are sent; many more than any encoder's token cap takes."""


class _LlamaModel:
    """What both have: a file, an id, a host."""

    def __init__(self, path: Path, host: Host, *, sha256: str | None = None, hashes: HashCache | None = None):
        """Prepare; nothing is read yet.

        Args:
            path: the GGUF file.
            host: the process that runs it.
            sha256: hex digest it must have, when it is pinned.
            hashes: remembers hashes of files.
        """
        self._path = path
        self._host = host
        self._sha256 = sha256
        self._hashes = hashes or HashCache(None)
        self._digest: str | None = None
        self._dim: int | None = None
        self._closed = False

    @property
    def path(self) -> Path:
        """The GGUF file."""
        return self._path

    @property
    def model_id(self) -> str:
        """File name without `.gguf`, and the first 12 hex digits of its SHA-256."""
        return f"{self._path.stem}@{self._known_digest()[:12]}"

    def _known_digest(self) -> str:
        """The pin, or what the file had when it was first asked for."""
        if self._digest is None:
            try:
                self._digest = self._sha256 or self._hashes.digest(self._path)
            except OSError:
                read_header(self._path)  # says in words what is wrong with the path
                raise ModelFailed(f"{self._path.name} could not be read.") from None
        return self._digest

    def close(self) -> None:
        """Refuse further use; the host is its owner's to close."""
        self._closed = True

    def _check_open(self) -> None:
        if self._closed:
            raise ModelFailed(f"{self._path.name} was closed.")


class LlamaEmbedder(_LlamaModel):
    """Unit vectors by an encoder in the model process."""

    @property
    def _file(self) -> ModelFile:
        """The file whose hash is in the id: vectors are kept under it, so no other may answer."""
        return ModelFile(self._path, "embed", self._known_digest())

    def on(self, host: Host) -> "LlamaEmbedder":
        """The same encoder in another process."""
        return LlamaEmbedder(self._path, host, sha256=self._sha256, hashes=self._hashes)

    @property
    def dim(self) -> int:
        """Length of a vector, read from the file's header."""
        if self._dim is None:
            self._dim = read_header(self._path).number("embedding_length")
        return self._dim

    def embed(
        self, texts: Sequence[str], *, cancel: threading.Event | None = None, urgent: bool | None = None
    ) -> FloatArray:
        """Vectors of n texts, as `Embedder.embed`.

        Args:
            texts: n texts.
            cancel: looked at all the time; when set, `ModelFailed` is raised.
            urgent: served before what is not; None means that one text is urgent and many are not.
        """
        self._check_open()
        texts = [text[:_CUT] or " " for text in texts]
        if not texts:
            return np.zeros((0, self.dim), np.float32)
        urgent = len(texts) == 1 if urgent is None else urgent
        rows: list[FloatArray] = []
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))  # alike lengths keep all cores busy
        for part in _slices([texts[i] for i in order]):
            frame = self._host.answer("embed", {"texts": part}, model=self._file, urgent=urgent, cancel=cancel)
            rows.append(np.frombuffer(frame.binary, np.float32).reshape(len(part), -1))
        vectors = np.concatenate(rows)  # (n, d), in the order of `order`
        vectors[order] = vectors.copy()
        return vectors

    def tokens(self, text: str) -> list[int]:
        """Token ids the encoder sees for a text."""
        self._check_open()
        frame = self._host.answer("tokenize", {"role": "embed", "text": text[:_CUT] or " "}, model=self._file)
        return list(frame.fields["tokens"])


class LlamaWriter(_LlamaModel):
    """Texts by a decoder in the model process."""

    @property
    def copies_only(self) -> bool:
        """Whether the file says so of itself."""
        return self._says.get(COPIES_ONLY) is True

    @property
    def jobs(self) -> frozenset[str] | None:
        """Those that the file says it was trained on, as `Writer.jobs`."""
        named = self._says.get(JOBS_KEY, "texts" if self.copies_only else None)
        return frozenset(named.split(",")) & frozenset(JOBS) if isinstance(named, str) else None

    @cached_property
    def _says(self) -> Mapping[str, object]:
        """The header; empty for a file that cannot be read, which whoever uses it will hear."""
        try:
            return read_header(self._path).metadata
        except ModelError:
            return {}

    @property
    def _file(self) -> ModelFile:
        return ModelFile(self._path, "write", self._sha256)

    def stream(
        self,
        prompt: Prompt,
        *,
        max_tokens: int = 96,
        temperature: float = 0.7,
        seed: int = 0,
        cancel: threading.Event | None = None,
    ) -> Iterator[str]:
        """Pieces of the text as they are written, as `Writer.stream`."""
        self._check_open()
        options = {"max_tokens": max_tokens, "temperature": temperature, "seed": seed}
        frames = self._host.ask("generate", {**_fields(prompt), **options}, model=self._file, cancel=cancel)
        for frame in frames:
            if frame.fields.get("is") == "piece":
                yield str(frame.fields["text"])

    def score(self, prompt: Prompt, texts: Sequence[str], *, cancel: threading.Event | None = None) -> list[float]:
        """Mean log-probability per token of each text, as `Writer.score`."""
        self._check_open()
        if not texts:
            return []
        fields = {**_fields(prompt), "texts": [text[:_CUT] for text in texts]}
        frame = self._host.answer("score", fields, model=self._file, cancel=cancel)
        return [float(value) for value in frame.fields["scores"]]

    def tokens(self, prompt: Prompt) -> list[int]:
        """Token ids the writer sees for a prompt."""
        self._check_open()
        frame = self._host.answer("tokenize", {"role": "write", **_fields(prompt)}, model=self._file)
        return list(frame.fields["tokens"])


def _fields(prompt: Prompt) -> dict[str, str]:
    return {"system": prompt.system, "item": prompt.item[:_CUT], "ask": prompt.ask}


def _slices(texts: Sequence[str]) -> Iterator[list[str]]:
    """Consecutive parts of at most `_SLICE` characters, or of one text."""
    part: list[str] = []
    size = 0
    for text in texts:
        if part and size + len(text) > _SLICE:
            yield part
            part, size = [], 0
        part.append(text)
        size += len(text)
    if part:
        yield part
