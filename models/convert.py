"""A sentence-transformers encoder of BERT kind into one GGUF file, without PyTorch.

The file carries, besides what llama.cpp needs, `llmrec.max_tokens` (where sentence-transformers cuts a text)
and `llmrec.source_sha256` (of `model.safetensors`): both encoders cut alike, and set-up knows its own work.
"""

import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from llmrec.models.archive import model_folder
from llmrec.models.bert_folder import BertFolder, existing_file, read_folder, read_tensors
from llmrec.models.errors import ModelRejected
from llmrec.models.hashes import sha256_of

if TYPE_CHECKING:
    from gguf import GGUFWriter

    from llmrec.models import FloatArray

FileType = Literal["f32", "bf16", "f16", "q8_0", "mixed"]
"""How matrices are stored. "bf16" takes 1.8 times the bytes of Q8_0, keeps the cosine to the original within 3e-5 of
one, and is the fastest on processors that multiply it (AVX512_BF16): 1.4 times the texts of Q8_0 a second.
"mixed" is F32 with the token table at Q8_0: 2.2 times the bytes of Q8_0, within 2e-5."""

_FILE_TYPE_IDS = {"f32": 0, "bf16": 32, "f16": 1, "q8_0": 7, "mixed": 7}
_POOLING_IDS = {"mean": 1, "cls": 2}
_NORMAL, _CONTROL = 1, 3
_SPECIAL = {"[UNK]", "[SEP]", "[PAD]", "[CLS]", "[MASK]"}
_APART = "the files do not belong together."
_Q8_0_BLOCK = 32
"""Values that share one scale; a row must be a multiple of it."""


@dataclass(frozen=True, slots=True)
class ConvertReport:
    """What was written."""

    path: Path
    """The GGUF file."""
    name: str
    """Its `general.name`."""
    ftype: FileType
    """How the matrices are stored; biases and norms are always F32."""
    layers: int
    """Transformer blocks."""
    dim: int
    """Length of a vector."""
    vocabulary: int
    """Tokens."""
    max_tokens: int
    """Where texts are cut, special tokens included."""
    size: int
    """Bytes of the file."""
    source_sha256: str
    """Of `model.safetensors`."""


def convert(
    source: Path,
    out: Path,
    ftype: FileType = "q8_0",
    *,
    name: str | None = None,
    expect_sha256: str | None = None,
    about: Mapping[str, str] | None = None,
) -> ConvertReport:
    """Write the encoder in `source` to the GGUF file `out`, whole or not at all.

    Args:
        source: sentence-transformers folder, or a wheel or zip file that contains one.
        out: file to write; replaced when it exists.
        ftype: storage of the matrices.
        name: stored as `general.name`; the stem of `out` when None.
        expect_sha256: hex digest that `model.safetensors` must have.
        about: more texts for the header by their key, e.g. `general.license`.

    Raises:
        ModelNotFound: `source` does not exist.
        ModelRejected: it is not a model that can be converted; the text names the file and what to do.
    """
    with model_folder(source) as path:
        folder = read_folder(path)
        digest = sha256_of(existing_file(path, "model.safetensors"))
        if expect_sha256 and digest != expect_sha256.lower():
            raise ModelRejected(
                f"model.safetensors has SHA-256 {digest[:12]}, not {expect_sha256[:12]}; get the file again."
            )
        title = name or out.stem
        try:
            _write_whole(folder, out, ftype, {"general.name": title, **(about or {})}, digest)
        except OSError as exc:
            raise ModelRejected(f"{out} could not be written: {exc.strerror or exc}.") from exc
    return ConvertReport(
        path=out,
        name=title,
        ftype=ftype,
        layers=folder.layers,
        dim=folder.dim,
        vocabulary=len(folder.vocabulary),
        max_tokens=folder.max_tokens,
        size=out.stat().st_size,
        source_sha256=digest,
    )


def _write_whole(folder: BertFolder, out: Path, ftype: FileType, about: Mapping[str, str], digest: str) -> None:
    """Write beside the target and rename, so that nobody ever sees half a file."""
    out.parent.mkdir(parents=True, exist_ok=True)
    handle, part = tempfile.mkstemp(dir=out.parent, prefix=f".{out.name}-", suffix=".part")
    os.close(handle)
    try:
        _write(folder, Path(part), ftype, about, digest)
        os.chmod(part, 0o644)
        os.replace(part, out)
    finally:
        Path(part).unlink(missing_ok=True)


def _write(folder: BertFolder, path: Path, ftype: FileType, about: Mapping[str, str], digest: str) -> None:
    from gguf import GGUFWriter

    writer = GGUFWriter(path, "bert")
    for key, text in about.items():
        writer.add_string(key, text)
    writer.add_file_type(_FILE_TYPE_IDS[ftype])
    writer.add_quantization_version(2)
    _add_shape(writer, folder)
    _add_tokenizer(writer, folder)
    writer.add_uint32("llmrec.max_tokens", folder.max_tokens)
    writer.add_string("llmrec.source_sha256", digest)
    for tensor_name, values in _renamed(folder):
        _add_tensor(writer, tensor_name, values, ftype)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add_shape(writer: "GGUFWriter", folder: BertFolder) -> None:
    writer.add_block_count(folder.layers)
    writer.add_context_length(folder.positions)
    writer.add_embedding_length(folder.dim)
    writer.add_feed_forward_length(folder.feed_forward)
    writer.add_head_count(folder.heads)
    writer.add_layer_norm_eps(folder.norm_epsilon)
    writer.add_causal_attention(False)
    writer.add_uint32("bert.pooling_type", _POOLING_IDS[folder.pooling])


def _add_tokenizer(writer: "GGUFWriter", folder: BertFolder) -> None:
    """WordPiece as llama.cpp wants it: words begin with a low line block, continuations with nothing."""
    special = [token in _SPECIAL for token in folder.vocabulary]
    writer.add_tokenizer_model("bert")
    writer.add_tokenizer_pre("default")
    writer.add_token_type_count(folder.token_types)
    writer.add_token_list([_phantom(token, kept) for token, kept in zip(folder.vocabulary, special, strict=True)])
    writer.add_token_types([_CONTROL if kept else _NORMAL for kept in special])
    writer.add_unk_token_id(folder.token_id("[UNK]"))
    writer.add_sep_token_id(folder.token_id("[SEP]"))
    writer.add_pad_token_id(folder.token_id("[PAD]"))
    writer.add_bos_token_id(folder.token_id("[CLS]"))
    writer.add_uint32("tokenizer.ggml.cls_token_id", folder.token_id("[CLS]"))
    writer.add_mask_token_id(folder.token_id("[MASK]"))
    writer.add_bool("tokenizer.ggml.normalizer.lowercase", folder.lowercase)
    writer.add_bool("tokenizer.ggml.normalizer.strip_accents", folder.strip_accents)


def _phantom(token: str, special: bool) -> str:
    """`##ing` -> `ing`, `word` -> `▁word`, `[CLS]` stays."""
    if special:
        return token
    return token[2:] if token.startswith("##") else "\u2581" + token


def _add_tensor(writer: "GGUFWriter", name: str, values: "FloatArray", ftype: FileType) -> None:
    """Store matrices in the asked type; vectors and the two small tables stay F32, as in llama.cpp.

    At Q8_0 the value projections stay F16: 3 % more bytes for half the error of the vectors.
    """
    from gguf import GGMLQuantizationType, quants

    small = values.ndim == 1 or name in ("position_embd.weight", "token_types.weight")
    if small or ftype == "f32" or (ftype == "mixed" and name != "token_embd.weight"):
        writer.add_tensor(name, values)
    elif ftype == "bf16":
        writer.add_tensor(name, quants.quantize(values, GGMLQuantizationType.BF16), raw_dtype=GGMLQuantizationType.BF16)
    elif ftype == "f16" or "attn_v" in name or values.shape[1] % _Q8_0_BLOCK:
        writer.add_tensor(name, values.astype(np.float16))
    else:
        writer.add_tensor(name, quants.quantize(values, GGMLQuantizationType.Q8_0), raw_dtype=GGMLQuantizationType.Q8_0)


def _renamed(folder: BertFolder) -> Iterator[tuple[str, "FloatArray"]]:
    """Every tensor llama.cpp needs, under its name there, with its shape checked."""
    wanted = gguf_names(folder)
    for name, values in read_tensors(folder):
        if name not in wanted:
            continue
        new_name, shape = wanted.pop(name)
        if values.shape != shape:
            raise ModelRejected(
                f"model.safetensors: {name} has shape {values.shape}, config.json says {shape}; {_APART}"
            )
        if not np.isfinite(values).all():
            raise ModelRejected(f"model.safetensors: {name} holds numbers that are not finite; the file is damaged.")
        yield new_name, values
    if wanted:
        raise ModelRejected(f"model.safetensors: {min(wanted)} is missing; {_APART}")


def gguf_names(folder: BertFolder) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Name in PyTorch -> (name in GGUF, shape), for every tensor that llama.cpp needs."""
    d, f = folder.dim, folder.feed_forward
    names: dict[str, tuple[str, tuple[int, ...]]] = {
        "embeddings.word_embeddings.weight": ("token_embd.weight", (len(folder.vocabulary), d)),
        "embeddings.position_embeddings.weight": ("position_embd.weight", (folder.positions, d)),
        "embeddings.token_type_embeddings.weight": ("token_types.weight", (folder.token_types, d)),
        "embeddings.LayerNorm.weight": ("token_embd_norm.weight", (d,)),
        "embeddings.LayerNorm.bias": ("token_embd_norm.bias", (d,)),
    }
    block: dict[str, tuple[str, tuple[int, int]]] = {
        "attention.self.query": ("attn_q", (d, d)),
        "attention.self.key": ("attn_k", (d, d)),
        "attention.self.value": ("attn_v", (d, d)),
        "attention.output.dense": ("attn_output", (d, d)),
        "intermediate.dense": ("ffn_up", (f, d)),
        "output.dense": ("ffn_down", (d, f)),
    }
    norms = {"attention.output.LayerNorm": "attn_output_norm", "output.LayerNorm": "layer_output_norm"}
    for n in range(folder.layers):
        for old, (new, shape) in block.items():
            names[f"encoder.layer.{n}.{old}.weight"] = (f"blk.{n}.{new}.weight", shape)
            names[f"encoder.layer.{n}.{old}.bias"] = (f"blk.{n}.{new}.bias", shape[:1])
        for old, new in norms.items():
            for part in ("weight", "bias"):
                names[f"encoder.layer.{n}.{old}.{part}"] = (f"blk.{n}.{new}.{part}", (d,))
    return names
