"""A deterministic encoder without weights: feature hashing of words and character n-grams.

It knows words, not meaning. It serves tests, and machines on which llama.cpp does not load; the screen then says so.
"""

import re
from collections.abc import Sequence
from hashlib import blake2b
from threading import Event

import numpy as np

from llmrec.models import FloatArray
from llmrec.models.errors import ModelFailed

_WORD = re.compile(r"\w+")
_MAX_CHARS = 4_000


class HashingEmbedder:
    """Signed feature hashing (Weinberger et al., ICML 2009) of words and their character 4-grams, unit rows."""

    model_id = "hashing"

    def __init__(self, dim: int = 384) -> None:
        """Vectors of length `dim`."""
        self.dim = dim
        self._closed = False

    def embed(self, texts: Sequence[str], *, cancel: Event | None = None) -> FloatArray:
        """Vectors (n, d) of n texts; see `Embedder`."""
        if self._closed:
            raise ModelFailed("the encoder is closed.")
        if cancel is not None and cancel.is_set():
            raise ModelFailed("embedding was cancelled.")
        matrix = np.zeros((len(texts), self.dim), np.float32)
        for row, text in enumerate(texts):
            for feature, weight in _features(text):
                digest = int.from_bytes(blake2b(feature.encode("utf-8", "replace"), digest_size=8).digest(), "little")
                matrix[row, digest % self.dim] += weight if digest >> 63 else -weight
        norms = np.linalg.norm(matrix, axis=1, keepdims=True)  # (n, 1)
        return np.asarray(matrix / np.where(norms > 0, norms, 1), np.float32)

    def close(self) -> None:
        """Refuse further use."""
        self._closed = True


def _features(text: str) -> list[tuple[str, float]]:
    """Words with weight 1 and their 4-grams with weight .25; a text without words has one feature of its own."""
    words = _WORD.findall(text[:_MAX_CHARS].lower())
    grams = [f"#{word[i : i + 4]}" for word in words for i in range(max(1, len(word) - 3))]
    return [(word, 1.0) for word in words] + [(gram, 0.25) for gram in grams] or [(" ", 1.0)]
