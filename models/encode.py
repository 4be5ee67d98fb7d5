"""Texts to unit vectors inside the model process: cutting, and spreading over the cores.

A context works on one text at a time. Small encoders have one context of one thread a core: two contexts side by
side need no barriers inside, so they are faster than one context of two threads, and far faster when the machine
is busy.
"""

import os
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from functools import lru_cache

import numpy as np

from llmrec.models import FloatArray
from llmrec.models.bert_words import MAX_WORD, words
from llmrec.models.errors import ModelError
from llmrec.models.gguf_header import Header
from llmrec.models.llama import (
    BF16,
    Q8_0,
    EncoderContext,
    Weights,
    in_bfloat16,
    multiplies_bfloat16,
    without_blas,
)

_MAX_TOKENS = 512
"""No text counts beyond this, whatever the model could take."""
_LARGE = 200 << 20
"""Bytes of a file from which on all cores work on one text: it would take a second on one."""
_CHARACTERS_PER_TOKEN = 16
"""More than any tokenizer makes of running text; what lies beyond is not even tokenised."""


def load(path: str, name: str, header: Header, threads: int, *, on_gpu: bool) -> "Encoder":
    """Load an encoder; a small one of eight bits as bfloat16, where the processor multiplies that faster.

    Args:
        path: what llama.cpp opens.
        name: what errors call it.
        header: of the file.
        threads: cores to use.
        on_gpu: put all layers on the graphics card.

    Raises:
        ModelError: llama.cpp does not accept the file.
    """
    native = not on_gpu and multiplies_bfloat16()
    kind = header.metadata.get("general.file_type")
    widened = None
    if native and kind == Q8_0 and header.size < _LARGE and sys.platform == "linux":
        widened = _widened(path, name)
    weights = widened or Weights(path, name, on_gpu=on_gpu)
    try:
        return Encoder(weights, header, threads, past_blas=native and (widened is not None or kind == BF16))
    except ModelError:
        weights.close()
        raise


def _widened(path: str, name: str) -> Weights | None:
    """The weights as bfloat16; None, and one line in the log, where that fails: they are used as they are then."""
    try:
        with in_bfloat16(path, name) as copy:
            return Weights(copy, name)
    except (ModelError, OSError) as exc:
        os.write(2, f"{name}: read as it is, because {exc}\n".encode())
        return None


class Encoder:
    """A loaded encoder: a tokenizer and its contexts."""

    def __init__(self, weights: Weights, header: Header, threads: int, *, past_blas: bool = False):
        self._weights = weights
        self.layers = weights.layers
        limit = header.metadata.get("llmrec.max_tokens")
        size = min(_MAX_TOKENS, weights.train_context)
        self.max_tokens = min(limit, size) if isinstance(limit, int) and limit > 2 else size
        self.dim = weights.dim
        self._is_bert = header.metadata.get("tokenizer.ggml.model") == "bert"
        lowercase = header.metadata.get("tokenizer.ggml.normalizer.lowercase", True)
        self._lowercase = bool(lowercase)
        self._strip = bool(header.metadata.get("tokenizer.ggml.normalizer.strip_accents", lowercase))
        self._unknown = header.token("unknown", 100)
        self._first, self._last = header.token("cls", 101), header.token("seperator", 102)  # sic, in the format
        self._pieces = lru_cache(maxsize=50_000)(self._word_ids)
        contexts, each = (threads, 1) if header.size < _LARGE else (1, threads)
        with without_blas() if past_blas else nullcontext():
            self._contexts = [EncoderContext(weights, self.max_tokens, each) for _ in range(contexts)]
        self._own = threading.local()
        self._spare = list(self._contexts)
        self._pool = ThreadPoolExecutor(len(self._contexts), initializer=self._take_context)

    def close(self) -> None:
        """Free contexts and weights."""
        self._pool.shutdown()
        for context in self._contexts:
            context.close()
        self._weights.close()

    def tokens(self, text: str) -> list[int]:
        """Ids as the model was trained to see them, cut to `max_tokens` between first and last special token."""
        if not self._is_bert:
            text = text[: self.max_tokens * _CHARACTERS_PER_TOKEN] or " "
            ids = self._weights.tokenize(text, special=False, add_special=True)
            return ids if len(ids) <= self.max_tokens else ids[: self.max_tokens - 1] + ids[-1:]
        room = self.max_tokens - 2
        ids = [self._first]
        for word in words(text, limit=room, lowercase=self._lowercase, strip_accents=self._strip):
            ids += self._pieces(word)
        return [*ids[: room + 1], self._last]

    def vectors(self, texts: Sequence[str], cancelled: Callable[[], bool]) -> FloatArray:
        """Unit rows (n, d) of n texts; zeros from where on `cancelled` said so."""
        rows = np.zeros((len(texts), self.dim), np.float32)

        def fill(i: int) -> None:
            if not cancelled():
                rows[i] = self._own.context.vector(ids[i])

        ids = [self.tokens(text) for text in texts]
        longest_first = sorted(range(len(ids)), key=lambda i: -len(ids[i]))
        list(self._pool.map(fill, longest_first))
        norms = np.linalg.norm(rows, axis=1, keepdims=True)  # (n, 1)
        unit: FloatArray = rows / np.maximum(norms, 1e-12)
        return unit

    def _take_context(self) -> None:
        self._own.context = self._spare.pop()

    def _word_ids(self, word: str) -> tuple[int, ...]:
        """Word pieces of one word; BERT gives up on very long ones."""
        if len(word) > MAX_WORD:
            return (self._unknown,)
        return tuple(self._weights.tokenize(word, special=False))
