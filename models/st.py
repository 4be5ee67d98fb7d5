"""The second encoder: sentence-transformers on PyTorch, for people who have them (the extra [st]).

Importing it takes seconds, so that waits until the first text.
"""

import importlib.util
import os
from collections.abc import Sequence
from pathlib import Path
from threading import Event, Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from llmrec.models import FloatArray
from llmrec.models.bert_folder import read_folder
from llmrec.models.errors import ModelFailed, ModelNotFound
from llmrec.models.hashes import HashCache

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

_BATCH = 32
_CUT = 16_000
"""Characters of one text that are looked at; many more than the token cap takes."""


class SentenceTransformersEmbedder:
    """Unit vectors by sentence-transformers, on the processor, without network."""

    def __init__(self, folder: Path, *, hashes: HashCache | None = None):
        """Prepare; nothing is imported or loaded before the first text.

        Args:
            folder: a folder that sentence-transformers saved, of BERT kind.
            hashes: remembers hashes of files.

        Raises:
            ModelNotFound: the extra [st] is not installed.
        """
        if importlib.util.find_spec("sentence_transformers") is None:
            raise ModelNotFound("sentence-transformers is not installed: pip install 'llmrec-tui[st]'.")
        self._folder = folder
        self._hashes = hashes or HashCache(None)
        self._model: SentenceTransformer | None = None
        self._lock = Lock()
        self._closed = False

    @property
    def model_id(self) -> str:
        """Folder name, `.st`, and the first 12 hex digits of the SHA-256 of the weights."""
        return f"{self._folder.name}.st@{self._hashes.digest(self._folder / 'model.safetensors')[:12]}"

    @property
    def dim(self) -> int:
        """Length of a vector, read from the settings."""
        return read_folder(self._folder).dim

    def embed(self, texts: Sequence[str], *, cancel: Event | None = None) -> FloatArray:
        """Vectors (n, d) of n texts, as `Embedder.embed`."""
        rows = np.zeros((len(texts), self.dim), np.float32)
        with self._lock:
            order = sorted(range(len(texts)), key=lambda i: len(texts[i]))  # little padding
            for start in range(0, len(order), _BATCH):
                if cancel is not None and cancel.is_set():
                    raise ModelFailed("The model was told to stop.")
                part = order[start : start + _BATCH]
                batch = [texts[i][:_CUT].encode("utf-8", "replace").decode() or " " for i in part]
                rows[part] = self._loaded().encode(batch, normalize_embeddings=True, show_progress_bar=False)
            if not order:
                self._check_open()
        return rows

    def close(self) -> None:
        """Release the weights."""
        self._closed = True
        self._model = None

    def _check_open(self) -> None:
        if self._closed:
            raise ModelFailed(f"{self._folder.name} was closed.")

    def _loaded(self) -> Any:
        self._check_open()
        if self._model is None:
            os.environ["HF_HUB_OFFLINE"] = "1"
            from sentence_transformers import SentenceTransformer

            try:
                self._model = SentenceTransformer(str(self._folder), device="cpu", local_files_only=True)
            except (OSError, ValueError) as exc:
                raise ModelFailed(f"sentence-transformers could not load {self._folder}: {exc}.") from exc
        return self._model
