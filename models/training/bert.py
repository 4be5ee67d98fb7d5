"""BERT in PyTorch, as small as an encoder of sentences needs it: reads and writes sentence-transformers' weights.

Texts of one batch all have the same number of tokens (see `encoder_batches`), so there is no padding and no mask.
Source: Devlin et al., 2019, https://arxiv.org/abs/1810.04805.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from llmrec.models.bert_folder import BertFolder, read_tensors


@dataclass(frozen=True, slots=True)
class Output:
    """What an encoder makes of b texts of s tokens."""

    hidden: tuple[Tensor, ...]
    """Hidden states (b, s, d) after each layer."""
    vectors: Tensor
    """Unit vectors (b, d): the mean over the tokens, normalised."""


class Embeddings(nn.Module):
    """Token, position and token type, added and normalised."""

    def __init__(self, folder: BertFolder):
        super().__init__()
        self.word_embeddings = nn.Embedding(len(folder.vocabulary), folder.dim)
        self.position_embeddings = nn.Embedding(folder.positions, folder.dim)
        self.token_type_embeddings = nn.Embedding(folder.token_types, folder.dim)
        self.LayerNorm = nn.LayerNorm(folder.dim, eps=folder.norm_epsilon)

    def forward(self, ids: Tensor) -> Tensor:
        """Hidden states (b, s, d) of token ids (b, s)."""
        place = self.position_embeddings.weight[: ids.shape[1]] + self.token_type_embeddings.weight[0]  # (s, d)
        summed: Tensor = self.LayerNorm(self.word_embeddings(ids) + place)
        return summed


class Block(nn.Module):
    """One transformer layer, normalised after each half."""

    def __init__(self, folder: BertFolder):
        super().__init__()
        d, f, self.heads = folder.dim, folder.feed_forward, folder.heads
        self.query, self.key, self.value = nn.Linear(d, d), nn.Linear(d, d), nn.Linear(d, d)
        self.attention_out = nn.Linear(d, d)
        self.attention_norm = nn.LayerNorm(d, eps=folder.norm_epsilon)
        self.up, self.down = nn.Linear(d, f), nn.Linear(f, d)
        self.norm = nn.LayerNorm(d, eps=folder.norm_epsilon)

    def forward(self, x: Tensor) -> Tensor:
        """Hidden states (b, s, d) to hidden states (b, s, d)."""
        b, s, d = x.shape
        q, k, v = (
            part(x).view(b, s, self.heads, d // self.heads).transpose(1, 2)  # (b, h, s, d / h)
            for part in (self.query, self.key, self.value)
        )
        mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, s, d)
        x = self.attention_norm(x + self.attention_out(mixed))
        out: Tensor = self.norm(x + self.down(F.gelu(self.up(x))))
        return out


class Bert(nn.Module):
    """The encoder."""

    def __init__(self, folder: BertFolder, layers: int):
        """Make an encoder with `layers` layers and otherwise the folder's shape; weights are random."""
        super().__init__()
        self.embeddings = Embeddings(folder)
        self.layers = nn.ModuleList(Block(folder) for _ in range(layers))

    def forward(self, ids: Tensor) -> Output:
        """Encode token ids (b, s), special tokens included."""
        x = self.embeddings(ids)
        hidden = tuple(x := layer(x) for layer in self.layers)
        return Output(hidden, F.normalize(x.mean(1).float(), dim=-1))


_BLOCK_NAMES = {
    "query": "attention.self.query",
    "key": "attention.self.key",
    "value": "attention.self.value",
    "attention_out": "attention.output.dense",
    "attention_norm": "attention.output.LayerNorm",
    "up": "intermediate.dense",
    "down": "output.dense",
    "norm": "output.LayerNorm",
}


def load_bert(folder: BertFolder, layers: Sequence[int] | None = None) -> Bert:
    """The folder's encoder, or one that begins as a choice of its layers.

    Args:
        folder: where the weights are.
        layers: layers to take, in order; all when None.

    Raises:
        ModelRejected: the weights are missing or damaged.
    """
    chosen = list(layers) if layers is not None else list(range(folder.layers))
    weights = {name: torch.from_numpy(values) for name, values in read_tensors(folder)}
    return bert_of(weights, folder, chosen)


def bert_of(weights: Mapping[str, Tensor], folder: BertFolder, layers: Sequence[int]) -> Bert:
    """An encoder of the folder's shape with weights that are named as in `weights_of`.

    Raises:
        KeyError: a weight is missing.
    """
    model = Bert(folder, len(layers))
    model.load_state_dict({ours: weights[theirs] for ours, theirs in _names(layers, model).items()})
    return model


def weights_of(model: Bert) -> dict[str, Tensor]:
    """The weights under the names that sentence-transformers uses."""
    state = model.state_dict()
    names = _names(range(len(model.layers)), model)
    return {theirs: state[ours].detach().cpu().float().contiguous() for ours, theirs in names.items()}


def _names(layers: Sequence[int], model: Bert) -> dict[str, str]:
    """Our name of each weight -> its name in a file whose layers `layers` become ours."""
    names: dict[str, str] = {}
    for ours in model.state_dict():
        if ours.startswith("layers."):
            _, n, part, kind = ours.split(".")
            names[ours] = f"encoder.layer.{layers[int(n)]}.{_BLOCK_NAMES[part]}.{kind}"
        else:
            names[ours] = ours
    return names
