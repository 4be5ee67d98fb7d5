"""First weights that copy: what a small decoder otherwise needs tens of millions of tokens to find.

The writer's answers are mostly spans of the item, and copying needs two layers that work together: one in which each
token takes note of those before it, one that looks for a token whose predecessor is the current token and repeats it
(an induction head: Olsson et al., 2022, https://arxiv.org/abs/2209.11895). Neither helps without the other, so
gradient descent finds them late. Here both are laid into the first two blocks, and training makes them better.
Beginning from the structure of trained weights: Trockman and Kolter, 2023, https://arxiv.org/abs/2305.09828.

The residual stream (d,) is divided at the start: words, a constant, and notes of the last token and of the one before.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from llmrec.models.training.writer_model import ROPE_BASE, Block, Decoder
from llmrec.models.training.writer_recipes import Shape

_CONSTANT = 8
"""Elements that are the same for every token: what attends by distance alone needs something to turn."""
_STRENGTH = 2.0
"""Of the constant, beside the words' 1."""
_BACK = 30.0
"""Score (before the division by sqrt(head)) of the token looked back to; its neighbours have about 4 less after it."""
_MATCH = 4.0
"""Score of each element of a note that matches."""
_COPY = 2.0
"""Strength of a copied word in the residual stream, beside the current token's 1."""
_OUT = 2.0
"""Weight of the last norm: with a tied table of small numbers, logits would be too alike."""
_FAINT = 0.1
"""What is left of the random weights that a circuit does not need."""
_SPREAD = 0.02
"""Standard deviation of an embedding's words."""


@dataclass(frozen=True, slots=True)
class _Layout:
    """Which elements of the residual stream hold what."""

    words: slice
    constant: slice
    last: slice
    """Note of the token before."""
    earlier: slice
    """Note of the one before that."""
    note: int
    """Elements m of a note."""

    @classmethod
    def of(cls, shape: Shape) -> "_Layout":
        """Notes as long as the slow part of a head: pairs that turn little over a few hundred tokens."""
        note = shape.width // shape.heads // 16 * 7
        words = shape.width - _CONSTANT - 2 * note
        first = words + _CONSTANT
        return cls(
            slice(words), slice(words, first), slice(first, first + note), slice(first + note, first + 2 * note), note
        )


@torch.no_grad()
def start_copying(model: Decoder, seed: int) -> None:
    """Give a decoder of two blocks or more first weights with which it repeats what followed the last two tokens.

    Args:
        model: changed in place; all other blocks begin by adding nothing.
        seed: of the random parts.
    """
    rng = torch.Generator().manual_seed(seed)
    layout, table = _Layout.of(model.shape), model.token_embd.weight
    words = layout.words.stop
    table.copy_(_SPREAD * torch.randn(table.shape, generator=rng))
    table[:, words:] *= _FAINT
    table[:, layout.constant] = _STRENGTH * _SPREAD
    blocks = [block for block in model.blk if isinstance(block, Block)]
    for block in blocks:
        block.attn_output.weight.zero_()
        block.ffn_down.weight.zero_()
    model.output_norm.weight.fill_(_OUT)
    sketch = torch.linalg.qr(torch.randn(words, words, generator=rng))[0][: layout.note]  # (m, words)
    told = words + _CONSTANT * _STRENGTH**2
    scale = (model.shape.width / told) ** 0.5  # RMSNorm multiplies an embedding / _SPREAD by this
    noted = (model.shape.width / (told + 2 * layout.note)) ** 0.5  # and by this once the notes are taken
    for head, (distance, place) in enumerate(((1, layout.last), (2, layout.earlier))):
        _take_note(blocks[0], head, distance, place, layout, sketch, scale)
    for head in range(model.shape.heads):
        _repeat(blocks[1], head, layout, sketch, noted)


def _take_note(
    block: Block, head: int, distance: int, place: slice, layout: _Layout, sketch: Tensor, scale: float
) -> None:
    """A head that looks `distance` tokens back and writes a sketch of the word there to `place`."""
    rows, size = _rows(block, head)
    pairs = torch.arange(size * 3 // 16)  # the fast ones, by which neighbours are told apart
    turn = distance * ROPE_BASE ** (-2 * pairs / size)
    query, key = torch.zeros(2, size)
    query[2 * pairs] = _BACK**0.5
    key[2 * pairs], key[2 * pairs + 1] = _BACK**0.5 * turn.cos(), _BACK**0.5 * turn.sin()
    for weight, wanted in ((block.attn_q.weight, query), (block.attn_k.weight, key)):
        weight[rows] *= _FAINT
        weight[rows, layout.constant] = wanted[:, None] / (_CONSTANT * _STRENGTH * scale)
    value, out = block.attn_v.weight, block.attn_output.weight
    value[rows] = 0
    value[rows.start : rows.start + layout.note, layout.words] = sketch / scale
    out[place, rows.start : rows.start + layout.note] = _SPREAD * torch.eye(layout.note)


def _repeat(block: Block, head: int, layout: _Layout, sketch: Tensor, scale: float) -> None:
    """A head that finds where the current token was last noted and copies its share of the word that stands there.

    Every second head wants the token before to match too, in half of the elements each.
    """
    rows, size = _rows(block, head)
    note, half = layout.note, layout.note // 4 * 2
    query, key = torch.zeros(2, note, block.attn_q.weight.shape[1])
    query[:, layout.words], key[:, layout.last] = sketch, torch.eye(note)
    if head % 2:
        query[half:], key[half:] = 0, 0
        query[half:, layout.last] = key[half:, layout.earlier] = torch.eye(note)[: note - half]
        query, key = 2**0.5 * query, 2**0.5 * key
    strength = _MATCH**0.5 / scale
    for weight, wanted in ((block.attn_q.weight, query), (block.attn_k.weight, key)):
        weight[rows] *= _FAINT
        weight[rows.stop - note : rows.stop] += strength * wanted
    heads = block.heads
    share = torch.arange(layout.words.stop)[head::heads][:size]
    value, out = block.attn_v.weight, block.attn_output.weight
    value[rows] = 0
    value[rows.start + torch.arange(len(share)), share] = 1 / scale
    out[share, rows.start + torch.arange(len(share))] = _COPY * _SPREAD


def _rows(block: Block, head: int) -> tuple[slice, int]:
    """A head's rows in the block's matrices, and their number."""
    size = block.attn_q.weight.shape[0] // block.heads
    return slice(head * size, (head + 1) * size), size
