"""On-device models: what turns text into vectors and prompts into words.

The layer knows nothing of items, users or screens. llama.cpp itself runs in a child process, see `host`.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from threading import Event
from typing import Literal, Protocol, get_args

# Before numpy's first import. Beside a model process that uses every core, threads that wait for each other make one
# product fifty times slower; on one core it is never slower than twice.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]


class Embedder(Protocol):
    """Turns texts into unit vectors."""

    @property
    def model_id(self) -> str:
        """Name and hash of the weights, e.g. `all-MiniLM-L6-v2.Q8_0@263215c3cadd`; kept with each vector."""

    @property
    def dim(self) -> int:
        """Length d of a vector."""

    def embed(self, texts: Sequence[str], *, cancel: Event | None = None) -> FloatArray:
        """Vectors of n texts.

        Args:
            texts: n texts of any length, cut at the model's token cap; an empty one gets a space's vector.
            cancel: looked at between batches; when set, `ModelFailed` is raised.

        Returns:
            float32 array (n, d) of unit rows, in the order of `texts`.

        Raises:
            ModelError: the model could not be loaded or its process failed.
        """

    def close(self) -> None:
        """Release the weights; a closed embedder may not be used again."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the writer is asked, the stable part first so that its computation is reused between items."""

    system: str
    """Trusted instructions; the same text for every item of one job."""
    item: str
    """Untrusted text of the item; tokenised without special tokens."""
    ask: str = ""
    """Trusted end of the prompt: the angle, or the question."""


Job = Literal["texts", "reasons", "topics", "half-lives"]
"""What a writer is asked for: sentences about an item, why it stands where it stands, names of interests, and whether
an item will still be useful in a year."""
JOBS: tuple[Job, ...] = get_args(Job)


class Writer(Protocol):
    """Continues prompts, and says how probable a continuation is."""

    @property
    def model_id(self) -> str:
        """Name and content hash of the weights."""

    @property
    def copies_only(self) -> bool:
        """Whether its sentences are picked and copied from the item: then it is held to that."""

    @property
    def jobs(self) -> frozenset[str] | None:
        """Those of `JOBS` that it was trained on, in the very words of `prompts`: it is asked for no other.

        None for a writer that was made for anything: it is asked for all, and its yes and no are calibrated.
        """

    def stream(
        self,
        prompt: Prompt,
        *,
        max_tokens: int = 96,
        temperature: float = 0.7,
        seed: int = 0,
        cancel: Event | None = None,
    ) -> Iterator[str]:
        """Pieces of the text as the model writes them; ends early without error when `cancel` is set.

        Raises:
            ModelError: the model could not be loaded or its process failed.
        """

    def score(self, prompt: Prompt, texts: Sequence[str], *, cancel: Event | None = None) -> list[float]:
        """Mean log-probability per token (nats) of each text as the continuation of the prompt.

        Raises:
            ModelError: the model could not be loaded or its process failed.
        """

    def close(self) -> None:
        """End the process that holds the weights."""


def does(writer: Writer | None, job: Job) -> bool:
    """Whether a writer is there that may be asked for one of `JOBS`."""
    return writer is not None and (writer.jobs is None or job in writer.jobs)
