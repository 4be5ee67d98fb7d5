"""Random models of a few hundred kilobytes, as GGUF: what can be tested of llama.cpp without real weights."""

import json
from pathlib import Path

import gguf
import numpy as np
from safetensors.numpy import save_file

from llmrec.models.llamacpp import COPIES_ONLY, JOBS_KEY

BYTES = 256
SPECIAL = ["<|end|>", "<|system|>", "<|user|>", "<|assistant|>"]
TEMPLATE = (
    "{% for m in messages %}{{ '<|' + m.role + '|>' + m.content + '<|end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


def byte_alphabet() -> list[str]:
    """The 256 characters that stand for bytes in GPT-2's tokenizer, by byte."""
    kept = [*range(33, 127), *range(161, 173), *range(174, 256)]
    table = {byte: chr(byte) for byte in kept}
    for n, byte in enumerate(byte for byte in range(256) if byte not in table):
        table[byte] = chr(256 + n)
    return [table[byte] for byte in range(256)]


def tiny_llama(
    path: Path,
    *,
    layers: int = 2,
    dim: int = 64,
    context: int = 512,
    heads: int = 4,
    vocabulary: int = BYTES,
    template: str | None = TEMPLATE,
    seed: int = 0,
    flat: bool = False,
    copies_only: bool = False,
    jobs: str | None = None,
) -> Path:
    """Write a random decoder in the Llama layout with a byte-level tokenizer.

    Args:
        path: file to write.
        layers: blocks.
        dim: width.
        context: tokens it was "trained" for.
        heads: attention heads.
        vocabulary: ordinary tokens, bytes first; more are made up.
        template: chat template, or None.
        seed: of the weights.
        flat: make all tokens equally probable, by an output matrix of zeros.
        copies_only: say in the header that it only copies.
        jobs: what the header says it was trained on; None: nothing.
    """
    rng = np.random.default_rng(seed)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name(path.stem)
    writer.add_context_length(context)
    writer.add_embedding_length(dim)
    writer.add_block_count(layers)
    writer.add_feed_forward_length(2 * dim)
    writer.add_head_count(heads)
    writer.add_head_count_kv(heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(dim // heads)
    writer.add_rope_freq_base(10_000.0)
    writer.add_file_type(0)
    writer.add_bool(COPIES_ONLY, copies_only)
    if jobs is not None:
        writer.add_string(JOBS_KEY, jobs)
    ordinary = [*byte_alphabet(), *(f"token{n}" for n in range(vocabulary - BYTES))]
    tokens = [*ordinary, *SPECIAL]
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types([1] * len(ordinary) + [3] * len(SPECIAL))
    writer.add_token_merges([f"{byte_alphabet()[32]} {byte_alphabet()[32]}"])
    writer.add_bos_token_id(len(ordinary))
    writer.add_eos_token_id(len(ordinary))
    writer.add_add_bos_token(False)
    if template is not None:
        writer.add_chat_template(template)

    def matrix(name: str, rows: int, columns: int) -> None:
        writer.add_tensor(name, rng.normal(0, columns**-0.5, (rows, columns)).astype(np.float32))

    matrix("token_embd.weight", len(tokens), dim)
    if flat:
        writer.add_tensor("output.weight", np.zeros((len(tokens), dim), np.float32))
    writer.add_tensor("output_norm.weight", np.ones(dim, np.float32))
    for n in range(layers):
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            matrix(f"blk.{n}.{name}.weight", dim, dim)
        matrix(f"blk.{n}.ffn_gate.weight", 2 * dim, dim)
        matrix(f"blk.{n}.ffn_up.weight", 2 * dim, dim)
        matrix(f"blk.{n}.ffn_down.weight", dim, 2 * dim)
        writer.add_tensor(f"blk.{n}.attn_norm.weight", np.ones(dim, np.float32))
        writer.add_tensor(f"blk.{n}.ffn_norm.weight", np.ones(dim, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def tiny_bert_folder(folder: Path, *, layers: int = 2, dim: int = 32, words: int = 40) -> Path:
    """Write a random encoder as sentence-transformers saves one: vocabulary `w1`, `w2` and so on from id 6."""
    rng = np.random.default_rng(0)
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *(f"w{n}" for n in range(words))]
    (folder / "1_Pooling").mkdir(parents=True)
    files: dict[str, object] = {
        "config.json": {
            "model_type": "bert",
            "hidden_act": "gelu",
            "hidden_size": dim,
            "num_hidden_layers": layers,
            "num_attention_heads": 2,
            "intermediate_size": 2 * dim,
            "max_position_embeddings": 64,
            "type_vocab_size": 2,
            "vocab_size": len(tokens),
            "layer_norm_eps": 1e-12,
        },
        "modules.json": [{"type": "sentence_transformers.models.Transformer"}, {"type": "x.Pooling"}],
        "sentence_bert_config.json": {"max_seq_length": 24},
        "tokenizer_config.json": {"do_lower_case": True, "strip_accents": None},
        "1_Pooling/config.json": {"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False},
    }
    for name, value in files.items():
        (folder / name).write_text(json.dumps(value))
    (folder / "vocab.txt").write_text("\n".join(tokens) + "\n", "utf-8")
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (len(tokens), dim),
        "embeddings.position_embeddings.weight": (64, dim),
        "embeddings.token_type_embeddings.weight": (2, dim),
        "embeddings.LayerNorm.weight": (dim,),
        "embeddings.LayerNorm.bias": (dim,),
        "pooler.dense.weight": (dim, dim),
    }
    for n in range(layers):
        sizes = {
            "attention.self.query": (dim, dim),
            "attention.self.key": (dim, dim),
            "attention.self.value": (dim, dim),
            "attention.output.dense": (dim, dim),
            "intermediate.dense": (2 * dim, dim),
            "output.dense": (dim, 2 * dim),
        }
        for name, shape in sizes.items():
            shapes[f"encoder.layer.{n}.{name}.weight"] = shape
            shapes[f"encoder.layer.{n}.{name}.bias"] = shape[:1]
        for norm in ("attention.output.LayerNorm", "output.LayerNorm"):
            shapes[f"encoder.layer.{n}.{norm}.weight"] = shapes[f"encoder.layer.{n}.{norm}.bias"] = (dim,)
    weights = {name: rng.normal(0, 0.2, shape).astype(np.float32) for name, shape in shapes.items()}
    save_file(weights, folder / "model.safetensors")
    return folder
