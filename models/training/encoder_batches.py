"""Batches of texts with the same number of tokens: no padding, no mask, and the same order in every run."""

from collections.abc import Iterator
from itertools import islice

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from llmrec.models.training.encoder_texts import TokenTexts


def plan(texts: TokenTexts, tokens: int, seed: int) -> list[npt.NDArray[np.int64]]:
    """Which texts make up each batch: every text once, batches of all lengths shuffled.

    Args:
        texts: what to read.
        tokens: a batch's tokens at most.
        seed: of the order.

    Returns:
        Row numbers of each batch.
    """
    rng = np.random.default_rng(seed)
    lengths = texts.lengths
    shuffled = rng.permutation(len(texts))
    by_length = shuffled[np.argsort(lengths[shuffled], kind="stable")]
    cuts = np.flatnonzero(np.diff(lengths[by_length])) + 1
    batches: list[npt.NDArray[np.int64]] = []
    for rows in np.split(by_length, cuts):
        size = max(1, tokens // int(lengths[rows[0]])) if len(rows) else 1
        batches += [rows[start : start + size] for start in range(0, len(rows), size)]
    return [batches[n] for n in rng.permutation(len(batches))]


def token_ids(texts: TokenTexts, rows: npt.NDArray[np.int64]) -> Tensor:
    """Token ids (b, s) of texts of one length."""
    return torch.from_numpy(np.stack([texts.text(int(row)) for row in rows]).astype(np.int64))


def endless(texts: TokenTexts, tokens: int, seed: int, start: int) -> Iterator[npt.NDArray[np.int64]]:
    """Row numbers of batch after batch from number `start` on; each pass over the texts has another order."""
    done, epoch = 0, 0
    while len(texts):
        batches = plan(texts, tokens, seed + epoch)
        yield from batches[max(0, start - done) :]
        done, epoch = done + len(batches), epoch + 1


def tokens_read(texts: TokenTexts, tokens: int, seed: int, steps: int) -> int:
    """Tokens in the first `steps` batches."""
    return sum(int(texts.lengths[rows].sum()) for rows in islice(endless(texts, tokens, seed, 0), steps))
