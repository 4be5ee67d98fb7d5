"""The trained writer as a GGUF file that llama.cpp reads; needs neither llama.cpp nor the original checkpoint."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import gguf
import numpy as np
from gguf import GGMLQuantizationType, LlamaFileType

from llmrec.models import JOBS
from llmrec.models.llamacpp import COPIES_ONLY, JOBS_KEY
from llmrec.models.training.writer_model import NORM_EPSILON, ROPE_BASE, Decoder
from llmrec.models.training.writer_tokens import END_ID

NAME = "llmrec-write"
Kind = Literal["F32", "F16", "Q8_0"]
_COPIES = "English; picks, shortens and copies sentences of the item"
_WRITES = "English; one sentence about an item, mostly in its own words"
_FILE_TYPES = {
    "F32": LlamaFileType.ALL_F32,
    "F16": LlamaFileType.MOSTLY_F16,
    "Q8_0": LlamaFileType.MOSTLY_Q8_0,
}


def export(
    model: Decoder,
    tokenizer: Path,
    out: Path,
    kind: Kind,
    *,
    jobs: Sequence[str] = JOBS,
    copies_only: bool = False,
) -> Path:
    """Write a model file.

    Args:
        model: the writer; its output matrix is its input matrix, so it is written once.
        tokenizer: file of the `tokenizers` package.
        out: file to write; replaced when it is there.
        kind: how matrices are stored; vectors stay F32.
        jobs: noted in the header: what it was trained on, and is asked for.
        copies_only: noted there too: its sentences are those of the item.

    Returns:
        `out`.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_suffix(".part")
    writer = gguf.GGUFWriter(part, "llama")
    _add_shape(writer, model, kind)
    writer.add_description(_COPIES if copies_only else _WRITES)
    writer.add_bool(COPIES_ONLY, copies_only)
    writer.add_string(JOBS_KEY, ",".join(jobs))
    _add_tokenizer(writer, tokenizer)
    for name, weight in model.state_dict().items():
        values = weight.detach().cpu().float().numpy()
        stored = GGMLQuantizationType[kind] if values.ndim > 1 else GGMLQuantizationType.F32
        data = gguf.quants.quantize(np.ascontiguousarray(values), stored)
        writer.add_tensor(name, data, raw_dtype=stored)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    part.replace(out)
    return out


def _add_shape(writer: gguf.GGUFWriter, model: Decoder, kind: Kind) -> None:
    shape = model.shape
    writer.add_name(NAME)
    writer.add_license("MIT")
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.feed_forward)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.heads)
    writer.add_layer_norm_rms_eps(NORM_EPSILON)
    writer.add_rope_dimension_count(shape.width // shape.heads)
    writer.add_rope_freq_base(ROPE_BASE)
    writer.add_vocab_size(shape.vocabulary)
    writer.add_file_type(_FILE_TYPES[kind])


def _add_tokenizer(writer: gguf.GGUFWriter, path: Path) -> None:
    """GPT-2's byte-level BPE; the end token is the only control token and no token begins a text."""
    kept = json.loads(path.read_text("utf-8"))["model"]
    tokens = sorted(kept["vocab"], key=kept["vocab"].__getitem__)
    control, normal = gguf.TokenType.CONTROL, gguf.TokenType.NORMAL
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types([control if n == END_ID else normal for n in range(len(tokens))])
    writer.add_token_merges([pair if isinstance(pair, str) else " ".join(pair) for pair in kept["merges"]])
    writer.add_eos_token_id(END_ID)
    writer.add_bos_token_id(END_ID)
    writer.add_add_bos_token(False)
