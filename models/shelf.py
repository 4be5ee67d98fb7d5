"""The models a user has: the bundled ones, the ones in the data folder, and which of them are in use."""

from pathlib import Path

from llmrec.models.errors import ModelNotFound
from llmrec.models.hashes import HashCache
from llmrec.models.host import Host
from llmrec.models.llamacpp import LlamaEmbedder
from llmrec.models.setup import FILE_NAME, WEIGHTS

_BUNDLED_ENCODERS = ("llmrec-embed.Q8_0.gguf", FILE_NAME)
"""Best first."""


def default_embedder(
    *, models_folder: Path | None = None, cache_folder: Path | None = None, host: Host
) -> LlamaEmbedder:
    """The encoder in use: the user's choice, else the bundled one. Loads nothing.

    Args:
        models_folder: the user's folder of models.
        cache_folder: where hashes of files are remembered.
        host: the process that will run it.

    Raises:
        ModelNotFound: there is none; the text names the command that brings it.
    """
    hashes = HashCache(cache_folder / "hashes.json" if cache_folder else None)
    for folder in (models_folder, WEIGHTS):
        for name in _BUNDLED_ENCODERS:
            if folder is not None and (folder / name).is_file():
                return LlamaEmbedder(folder / name, host, hashes=hashes)
    raise ModelNotFound("There is no encoder yet; run `make run` once, or `llmrec models pull all-MiniLM-L6-v2`.")
