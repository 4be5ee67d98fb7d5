"""A sentence-transformers folder of BERT kind, read and checked: settings, vocabulary and weights.

Owns what the many versions of that folder layout have in common, so that `convert` sees one shape of it.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from llmrec.models.archive import FILES
from llmrec.models.errors import ModelRejected

Pooling = Literal["mean", "cls"]

_SPECIAL = ("[UNK]", "[SEP]", "[PAD]", "[CLS]", "[MASK]")
_LIMITS = {
    "num_hidden_layers": 96,
    "hidden_size": 8192,
    "intermediate_size": 65536,
    "num_attention_heads": 128,
}
_MAX_VOCABULARY = 500_000
_AGAIN = "copy the folder again."
_READY_MADE = "Get a ready GGUF file instead."


@dataclass(frozen=True, slots=True)
class BertFolder:
    """What a BERT encoder is, apart from its weights."""

    path: Path
    """Folder the weights are in."""
    layers: int
    """Transformer blocks L."""
    dim: int
    """Width d of the hidden state and of the vector."""
    heads: int
    """Attention heads; divides `dim`."""
    feed_forward: int
    """Width of the feed-forward layer."""
    positions: int
    """Rows of the position table: more tokens than this cannot be encoded."""
    token_types: int
    """Rows of the token type table."""
    norm_epsilon: float
    """Added to the variance in layer normalisation."""
    vocabulary: tuple[str, ...]
    """Token texts by id, word pieces marked `##`."""
    pooling: Pooling
    """How token vectors become one."""
    max_tokens: int
    """Where the library cuts a text, special tokens included; at most `positions`."""
    lowercase: bool
    """Whether the tokenizer lowers case."""
    strip_accents: bool
    """Whether the tokenizer drops combining marks."""

    def token_id(self, token: str) -> int:
        """Id of a special token."""
        return self.vocabulary.index(token)


def read_folder(path: Path) -> BertFolder:
    """Read and check the settings and the vocabulary.

    Raises:
        ModelRejected: a file is missing or damaged, or describes another kind of model; the text names it.
    """
    config = _json(path, "config.json")
    _check_kind(path, config)
    dim, heads = _count(config, "hidden_size"), _count(config, "num_attention_heads")
    if dim % heads:
        raise ModelRejected(f"config.json: hidden_size {dim} is not a multiple of num_attention_heads {heads}.")
    vocabulary = _vocabulary(path)
    if config.get("vocab_size") != len(vocabulary):
        raise ModelRejected(
            f"config.json says {config.get('vocab_size')} tokens, the list has {len(vocabulary)}; {_AGAIN}"
        )
    tokenizer = _json(path, "tokenizer_config.json", needed=False)
    positions = _count(config, "max_position_embeddings", 65536)
    lowercase = bool(tokenizer.get("do_lower_case", True))
    strip_accents = tokenizer.get("strip_accents")
    return BertFolder(
        path=path,
        layers=_count(config, "num_hidden_layers"),
        dim=dim,
        heads=heads,
        feed_forward=_count(config, "intermediate_size"),
        positions=positions,
        token_types=_count(config, "type_vocab_size", 16),
        norm_epsilon=float(config.get("layer_norm_eps", 1e-12)),
        vocabulary=vocabulary,
        pooling=_pooling(path),
        max_tokens=_max_tokens(path, tokenizer, positions),
        lowercase=lowercase,
        strip_accents=lowercase if strip_accents is None else bool(strip_accents),
    )


def read_tensors(folder: BertFolder) -> Iterator[tuple[str, npt.NDArray[np.float32]]]:
    """Names without prefix, and float32 values, of all tensors in the weights file; one at a time in memory.

    Raises:
        ModelRejected: the file is missing, damaged, or holds numbers of a kind that is not read.
    """
    from safetensors import SafetensorError, safe_open

    file = existing_file(folder.path, "model.safetensors")
    try:
        with safe_open(file, framework="numpy") as weights:
            for name in sorted(weights.keys()):
                kind = weights.get_slice(name).get_dtype()
                if kind in ("F64", "F32", "F16"):
                    yield name.removeprefix("bert."), weights.get_tensor(name).astype(np.float32)
                elif kind != "I64":
                    raise ModelRejected(f"model.safetensors: {name} is stored as {kind}; save the model as float32.")
    except SafetensorError as exc:
        raise ModelRejected(f"model.safetensors is damaged ({exc}); {_AGAIN}") from exc


def _check_kind(path: Path, config: dict[str, Any]) -> None:
    """BERT with absolute positions and exact GELU, followed by nothing but pooling and normalising."""
    if config.get("model_type") != "bert":
        raise ModelRejected(
            f"config.json: {config.get('model_type')!r} models cannot be converted, only bert. {_READY_MADE}"
        )
    if config.get("position_embedding_type", "absolute") != "absolute":
        raise ModelRejected("config.json: only absolute position embeddings are converted.")
    if config.get("hidden_act", "gelu") != "gelu":
        raise ModelRejected(f"config.json: hidden_act is {config['hidden_act']!r}; only 'gelu' is converted.")
    modules = _json(path, "modules.json", needed=False, kind=list)
    kinds = [str(module.get("type", "")).rsplit(".", 1)[-1] for module in modules if isinstance(module, dict)]
    if extra := [kind for kind in kinds if kind not in ("Transformer", "Pooling", "Normalize")]:
        raise ModelRejected(f"modules.json: a {extra[0]} layer cannot be converted. {_READY_MADE}")


def _pooling(path: Path) -> Pooling:
    """Old folders have one flag per kind, new ones a word."""
    config = _json(path, "1_Pooling/config.json")
    flags = [
        key.removeprefix("pooling_mode_").removesuffix("_tokens").removesuffix("_token")
        for key, value in config.items()
        if key.startswith("pooling_mode_") and value is True
    ]
    named = config.get("pooling_mode")
    modes = flags or ([named] if isinstance(named, str) else list(named or []))
    if modes == ["mean"]:
        return "mean"
    if modes == ["cls"]:
        return "cls"
    shown = " + ".join(map(str, modes)) or "of unknown kind"
    raise ModelRejected(f"1_Pooling/config.json: pooling {shown} cannot be converted, only mean or cls.")


def _max_tokens(path: Path, tokenizer: dict[str, Any], positions: int) -> int:
    """Where sentence-transformers cuts: its own setting, else the tokenizer's, else the position table."""
    own = _json(path, "sentence_bert_config.json", needed=False).get("max_seq_length")
    limit = own or tokenizer.get("model_max_length") or positions
    if not isinstance(limit, int | float) or limit < 3:
        raise ModelRejected(f"sentence_bert_config.json: max_seq_length {limit!r} is not a number of tokens.")
    return int(min(limit, positions))


def _vocabulary(path: Path) -> tuple[str, ...]:
    """Token texts by id, from `vocab.txt` or `tokenizer.json`."""
    if (path / "vocab.txt").is_file():
        tokens = _text(path, "vocab.txt").removesuffix("\n").split("\n")
        tokens = [token.rstrip("\r") for token in tokens]
    else:
        model = _json(path, "tokenizer.json").get("model")
        if not isinstance(model, dict) or model.get("type") != "WordPiece" or not isinstance(model.get("vocab"), dict):
            raise ModelRejected("tokenizer.json: not a WordPiece tokenizer; only BERT's own is converted.")
        ids: dict[str, int] = model["vocab"]
        tokens = sorted(ids, key=lambda token: ids[token])
        if [ids[token] for token in tokens] != list(range(len(tokens))):
            raise ModelRejected("tokenizer.json: token ids are not 0, 1, 2 and so on; the file is damaged.")
    if len(tokens) > _MAX_VOCABULARY:
        raise ModelRejected(f"The vocabulary has {len(tokens)} tokens; more than {_MAX_VOCABULARY} are not accepted.")
    if missing := [token for token in _SPECIAL if token not in tokens]:
        raise ModelRejected(f"The vocabulary has no {missing[0]}; this is not a BERT tokenizer.")
    return tuple(tokens)


def _count(config: dict[str, Any], key: str, largest: int | None = None) -> int:
    """Read a positive whole number below its limit."""
    value, limit = config.get(key), largest or _LIMITS[key]
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= limit:
        raise ModelRejected(f"config.json: {key} is {value!r}; expected a whole number from 1 to {limit}.")
    return value


def _json(path: Path, name: str, *, needed: bool = True, kind: type = dict) -> Any:
    """Read a JSON file of the folder; empty when it may be missing and is."""
    if not needed and not (path / name).is_file():
        return kind()
    try:
        value = json.loads(_text(path, name))
    except (ValueError, RecursionError) as exc:
        raise ModelRejected(f"{name} is not valid JSON ({exc}); {_AGAIN}") from exc
    if not isinstance(value, kind):
        raise ModelRejected(f"{name} does not hold what it should; {_AGAIN}")
    return value


def _text(path: Path, name: str) -> str:
    """Read a text file of the folder, of bounded size."""
    try:
        return existing_file(path, name).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise ModelRejected(f"{name} could not be read ({exc}).") from exc


def existing_file(path: Path, name: str) -> Path:
    """Path of a file that must be there and not be too large."""
    file = path / name
    if not file.is_file():
        raise ModelRejected(f"{name} is missing in {path}; pass a folder that sentence-transformers saved.")
    if file.stat().st_size > FILES[name]:
        raise ModelRejected(f"{name} is larger than {FILES[name] >> 20} MB; this is not a small encoder.")
    return file
