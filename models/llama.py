"""All of llama.cpp: the only importer of `llama_cpp`, and only inside the model process.

Its low-level calls are used, not the `Llama` class: that one redirects file descriptors 1 and 2 while it loads,
keeps a logit buffer of n_batch x n_vocab floats, and can neither be cancelled between chunks of a prompt nor score
a text without keeping the logits of the whole context.
"""

import ctypes
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jinja2
import llama_cpp as lib
import numpy as np
import numpy.typing as npt
from llama_cpp.llama_chat_format import Jinja2ChatFormatter

from llmrec.models import sandbox
from llmrec.models.errors import ModelFailed, ModelRejected

FloatArray = npt.NDArray[np.float32]

ggml: Any = lib.llama_cpp._lib
"""ggml as llama.cpp has loaded it, found through it; what the binding itself opens may be a second copy, with a list of
backends of its own."""

_LOG_WARN, _LOG_ERROR = 3, 4


_ALL_LAYERS = -1
_MAX_PIECE = 256
_SMALL = 100_000_000
"""Bytes of weights up to which a decoder keeps keys and values in full precision."""
_REPEATS = (2.0, 2.0, 3)
"""Penalty of a repeated run of tokens, 2 x 2^(length - 3) nats, for llama.cpp's sampler "dry"."""
_F32 = 0
"""ggml's number for it."""
_CARDS = (1, 2)
"""ggml's numbers for graphics cards of their own and for those in a processor."""
BF16, Q8_0 = 32, 7
"""llama.cpp's numbers for such files."""
_QUANTISED = {"bf16": BF16, "f16": 1, "q8_0": 7, "q4_k_m": 15, "q5_k_m": 17, "q6_k": 18}
"""llama.cpp's numbers for the kinds of file that make sense here."""


def _keep_warnings(level: int, text: bytes, _: ctypes.c_void_p) -> None:
    """Log warnings and errors only; the binding's own callback mixes up the levels."""
    if level in (_LOG_WARN, _LOG_ERROR):
        os.write(2, text)


_log = lib.llama_log_callback(_keep_warnings)
lib.llama_log_set(_log, ctypes.c_void_p(0))


class Weights:
    """A loaded model file and its vocabulary."""

    def __init__(self, path: str, name: str, *, on_gpu: bool = False):
        """Load a file.

        Args:
            path: what llama.cpp opens, for instance `/proc/self/fd/5`.
            name: what errors call it.
            on_gpu: put all layers on the graphics card; else the processor computes everything.

        Raises:
            ModelRejected: llama.cpp does not accept the file.
        """
        lib.llama_backend_init()
        self.name = name
        params = lib.llama_model_default_params()
        params.n_gpu_layers = _ALL_LAYERS if on_gpu else 0
        overrides = _keep_marks()
        params.kv_overrides = overrides
        model = lib.llama_model_load_from_file(path.encode(), params)
        if model is None:
            raise ModelRejected(f"llama.cpp does not accept {name}; the log says why. Get it again or choose another.")
        self.model: Any = model
        self.on_gpu = on_gpu
        self.layers: int = lib.llama_model_n_layer(model)
        self.vocab: Any = lib.llama_model_get_vocab(model)
        self.train_context: int = lib.llama_model_n_ctx_train(model)
        self.dim: int = lib.llama_model_n_embd_out(model)
        self.n_vocab: int = lib.llama_vocab_n_tokens(self.vocab)

    def close(self) -> None:
        """Free the memory."""
        if self.model is not None:
            lib.llama_model_free(self.model)
            self.model = None

    def tokenize(self, text: str, *, special: bool, add_special: bool = False) -> list[int]:
        """Cut a text into token ids.

        Args:
            text: what to cut.
            special: read `<|im_end|>` and the like as control tokens; never for text of strangers.
            add_special: put the model's own tokens at the start and the end.
        """
        data = text.encode("utf-8", "replace")
        size = len(data) + 8
        ids = (lib.llama_token * size)()
        count = lib.llama_tokenize(self.vocab, data, len(data), ids, size, add_special, special)
        if count < 0:
            raise ModelFailed(f"{self.name} could not tokenise a text of {len(text)} characters.")
        return list(ids[:count])

    def piece(self, token: int) -> bytes:
        """Text of one token; control tokens give nothing."""
        buffer = ctypes.create_string_buffer(_MAX_PIECE)
        count = lib.llama_token_to_piece(self.vocab, token, buffer, _MAX_PIECE, 0, False)
        return buffer.raw[:count] if count > 0 else b""

    def ends(self, token: int) -> bool:
        """Whether the model says with this token that it has finished."""
        return bool(lib.llama_vocab_is_eog(self.vocab, token))

    def starts(self) -> list[int]:
        """The token that must begin a plain prompt, if the model wants one."""
        return [lib.llama_vocab_bos(self.vocab)] if lib.llama_vocab_get_add_bos(self.vocab) else []

    def chat(self, template: str) -> Callable[[list[dict[str, str]]], str]:
        """Compile the model's own chat template in jinja2's sandbox.

        Returns:
            Fills the template with turns of "role" and "content", up to where the answer begins; raises jinja2's
            errors, and ValueError when the template refuses the turns.

        Raises:
            ModelRejected: the template is not one.
        """
        eos, bos = lib.llama_vocab_eos(self.vocab), lib.llama_vocab_bos(self.vocab)
        text = {t: lib.llama_vocab_get_text(self.vocab, t).decode("utf-8", "replace") for t in (eos, bos) if t >= 0}
        try:
            formatter = Jinja2ChatFormatter(template, eos_token=text.get(eos, ""), bos_token=text.get(bos, ""))
        except jinja2.TemplateError as exc:
            raise ModelRejected(f"The chat template of {self.name} is broken: {exc}.") from exc

        def fill(turns: list[dict[str, str]]) -> str:
            messages: Any = turns
            return formatter(messages=messages, enable_thinking=False).prompt

        return fill


def _keep_marks() -> Any:
    """Tell BERT's tokenizer to leave marks alone: `bert_words` has dropped the right ones, llama.cpp drops more."""
    overrides: Any = (lib.llama_model_kv_override * 2)()  # the second ends the list
    overrides[0].tag = lib.LLAMA_KV_OVERRIDE_TYPE_BOOL
    overrides[0].key = b"tokenizer.ggml.normalizer.strip_accents"
    overrides[0].value.val_bool = False
    return overrides


class _Context:
    """A llama.cpp context with a batch of its size; base of the two below."""

    def __init__(self, weights: Weights, params: Any, size: int):
        params.offload_kqv = params.op_offload = weights.on_gpu
        context = lib.llama_init_from_model(weights.model, params)
        if context is None:
            raise ModelRejected(f"llama.cpp could not make a context of {size} tokens for {weights.name}.")
        self._context = context
        self._memory = lib.llama_get_memory(context)
        self._batch = lib.llama_batch_init(size, 0, 1)
        shape = (size,)
        self._tokens = np.ctypeslib.as_array(self._batch.token, shape=shape)
        self._positions = np.ctypeslib.as_array(self._batch.pos, shape=shape)
        self._wanted = np.ctypeslib.as_array(self._batch.logits, shape=shape)
        np.ctypeslib.as_array(self._batch.n_seq_id, shape=shape)[:] = 1
        for i in range(size):
            self._batch.seq_id[i][0] = 0

    def close(self) -> None:
        """Free the memory."""
        if self._context is not None:
            lib.llama_batch_free(self._batch)
            lib.llama_free(self._context)
            self._context = None

    def _decode(self, tokens: Sequence[int], first: int) -> None:
        """Run one batch of one sequence at positions first, first + 1, ...; `_wanted` is set by the caller."""
        count = len(tokens)
        self._tokens[:count] = tokens
        self._positions[:count] = np.arange(first, first + count)
        self._batch.n_tokens = count
        compute = lib.llama_encode if self._memory is None else lib.llama_decode
        status = compute(self._context, self._batch)
        if status != 0:
            raise ModelFailed(f"llama.cpp could not compute {count} tokens (status {status}).")


class EncoderContext(_Context):
    """Token ids to one vector, one text at a time.

    One text a batch: with several, every text attends to all tokens of the batch under a mask, which costs more
    than it saves.
    """

    def __init__(self, weights: Weights, size: int, threads: int):
        params = lib.llama_context_default_params()
        params.n_ctx = params.n_batch = params.n_ubatch = size
        params.n_seq_max = 1
        params.n_threads = params.n_threads_batch = threads
        params.embeddings = True
        params.flash_attn_type = lib.LLAMA_FLASH_ATTN_TYPE_ENABLED
        params.no_perf = True
        super().__init__(weights, params, size)
        self._dim = weights.dim
        self._wanted[:] = 1
        if lib.llama_pooling_type(self._context) in (lib.LLAMA_POOLING_TYPE_NONE, lib.LLAMA_POOLING_TYPE_RANK):
            self.close()
            raise ModelRejected(f"{weights.name} does not pool its tokens into one vector; choose an encoder.")

    def vector(self, tokens: Sequence[int]) -> FloatArray:
        """Pooled vector (d,) of at least one token, not normalised."""
        if self._memory is not None:
            lib.llama_memory_clear(self._memory, True)
        self._decode(tokens, 0)
        row = lib.llama_get_embeddings_seq(self._context, 0)
        if not row:
            raise ModelFailed("llama.cpp gave no vector.")
        return np.ctypeslib.as_array(row, shape=(self._dim,)).copy()


class DecoderContext(_Context):
    """One growing sequence whose computed prefix is kept.

    A prompt is read on all cores, since a reader waits for the first word; word after word leaves one core to the app.
    """

    def __init__(self, weights: Weights, size: int, chunk: int, threads: int):
        params = lib.llama_context_default_params()
        params.n_ctx = size
        params.n_batch = params.n_ubatch = chunk
        params.n_seq_max = 1
        params.n_threads, params.n_threads_batch = max(1, threads - 1), threads
        if lib.llama_model_size(weights.model) < _SMALL:
            # Half precision, which flash attention computes in too, would be its largest error, and saves it nothing.
            params.flash_attn_type = lib.LLAMA_FLASH_ATTN_TYPE_DISABLED
            params.type_k = params.type_v = _F32
        params.swa_full = True  # else a sliding-window model cannot go back to the end of the prefix
        params.no_perf = True
        super().__init__(weights, params, chunk)
        self.size, self.chunk = size, chunk
        self._vocab, self._n_vocab = weights.vocab, weights.n_vocab
        self._chain: Any = None
        self._rows = 0

    def keep(self, count: int) -> bool:
        """Forget all but the first `count` tokens; False when this kind of model cannot, and all is forgotten."""
        if lib.llama_memory_seq_rm(self._memory, 0, count, -1):
            return True
        lib.llama_memory_clear(self._memory, True)
        return False

    def read(self, tokens: Sequence[int], first: int, *, logits_from: int | None) -> None:
        """Compute at most `chunk` tokens.

        Args:
            tokens: ids at positions first, first + 1, ...
            first: position of the first.
            logits_from: index from which on logits are kept; None for none.
        """
        self._wanted[: len(tokens)] = 0
        if logits_from is not None:
            self._wanted[logits_from : len(tokens)] = 1
        self._decode(tokens, first)

    def logits(self, index: int) -> FloatArray:
        """Logits (n_vocab,) of token `index` of the last `read`; a view that the next call overwrites."""
        return np.ctypeslib.as_array(lib.llama_get_logits_ith(self._context, index), shape=(self._n_vocab,))

    def start_sampling(self, temperature: float, seed: int) -> None:
        """Set how tokens are drawn; temperature 0 takes the most probable one.

        What has been written is not written again: the longer a run of tokens that would be repeated, the less likely
        its next one. The prompt may be repeated.
        """
        self._stop_sampling()
        self._chain = lib.llama_sampler_chain_init(lib.llama_sampler_chain_default_params())
        parts = [lib.llama_sampler_init_dry(self._vocab, *_REPEATS, self.size, None, 0)]
        if temperature <= 0:
            parts += [lib.llama_sampler_init_greedy()]
        else:
            parts += [
                lib.llama_sampler_init_top_k(40),
                lib.llama_sampler_init_top_p(0.95, 1),
                lib.llama_sampler_init_temp(temperature),
                lib.llama_sampler_init_dist(seed & 0xFFFFFFFF),
            ]
        for part in parts:
            lib.llama_sampler_chain_add(self._chain, part)

    def sample(self) -> int:
        """Draw the next token from the last logits."""
        return int(lib.llama_sampler_sample(self._chain, self._context, -1))

    def close(self) -> None:
        """Free the memory."""
        self._stop_sampling()
        super().close()

    def _stop_sampling(self) -> None:
        if self._chain is not None:
            lib.llama_sampler_free(self._chain)
            self._chain = None


@contextmanager
def in_bfloat16(path: str, name: str) -> Iterator[str]:
    """A copy of a GGUF file in memory with its matrices in bfloat16, for as long as it takes to load it. Linux only.

    Raises:
        ModelFailed: llama.cpp could not.
    """
    copy = os.memfd_create(name)
    try:
        there = f"/proc/self/fd/{copy}"
        params = lib.llama_model_quantize_default_params()
        params.ftype, params.allow_requantize, params.nthread = BF16, True, 1
        with sandbox.larger_files():
            if lib.llama_model_quantize(path.encode(), there.encode(), ctypes.byref(params)) != 0:
                raise ModelFailed(f"llama.cpp could not turn {name} into bfloat16; the log says why.")
        yield there
    finally:
        os.close(copy)


def quantize(source: Path, out: Path, ftype: str) -> None:
    """Write a smaller copy of a GGUF file.

    Raises:
        ModelFailed: llama.cpp could not; what it had written is removed.
    """
    params = lib.llama_model_quantize_default_params()
    params.ftype = _QUANTISED[ftype]
    params.nthread = os.cpu_count() or 1
    if lib.llama_model_quantize(os.fsencode(source), os.fsencode(out), ctypes.byref(params)) != 0:
        out.unlink(missing_ok=True)
        raise ModelFailed(f"llama.cpp could not quantise {source.name} to {ftype}; the log says why.")


def uses_gpu() -> bool:
    """Whether this build of llama.cpp computes on a graphics card."""
    return bool(lib.llama_supports_gpu_offload())


def system_info() -> str:
    """The processor features llama.cpp was built for and found."""
    return str(lib.llama_print_system_info().decode())


@contextmanager
def without_blas() -> Iterator[None]:
    """Let contexts that are made here use ggml's own matrix products, though the build has a BLAS library.

    A context keeps the backends it was made with. BLAS knows no bfloat16 and would turn all weights into float32 for
    every text.
    """
    ggml.ggml_backend_reg_by_name.argtypes, ggml.ggml_backend_reg_by_name.restype = [ctypes.c_char_p], ctypes.c_void_p
    ggml.ggml_backend_unload.argtypes = ggml.ggml_backend_register.argtypes = [ctypes.c_void_p]
    registered = ggml.ggml_backend_reg_by_name(b"BLAS")
    if registered:
        ggml.ggml_backend_unload(registered)
    try:
        yield
    finally:
        if registered:
            ggml.ggml_backend_register(registered)


def multiplies_bfloat16() -> bool:
    """Whether this processor, and this build, multiply bfloat16 without turning it into float32 first."""
    return "AVX512_BF16 = 1" in system_info()


def blas() -> str:
    """The library of matrix products this build uses, such as "OpenBLAS"; empty for llama.cpp's own.

    `llama_print_system_info` does not name it: it says what a backend tells of itself, and that of BLAS tells nothing.
    """
    return next((described for name, _, described in _devices() if name == "BLAS"), "")


def graphics_cards() -> list[str]:
    """What computes beside the processor, such as "NVIDIA H200"."""
    return [described for _, kind, described in _devices() if kind in _CARDS]


def _devices() -> list[tuple[str, int, str]]:
    """Name, kind and description of all that ggml can compute on."""
    ggml.ggml_backend_dev_count.restype = ctypes.c_size_t
    ggml.ggml_backend_dev_get.argtypes, ggml.ggml_backend_dev_get.restype = [ctypes.c_size_t], ctypes.c_void_p
    ggml.ggml_backend_dev_type.argtypes = [ctypes.c_void_p]
    for of_device in (ggml.ggml_backend_dev_name, ggml.ggml_backend_dev_description):
        of_device.argtypes, of_device.restype = [ctypes.c_void_p], ctypes.c_char_p
    found = map(ggml.ggml_backend_dev_get, range(ggml.ggml_backend_dev_count()))
    return [
        (
            ggml.ggml_backend_dev_name(each).decode("utf-8", "replace"),
            int(ggml.ggml_backend_dev_type(each)),
            ggml.ggml_backend_dev_description(each).decode("utf-8", "replace"),
        )
        for each in found
    ]
