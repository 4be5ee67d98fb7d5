"""The header of a GGUF file, read in pure Python with a cap on everything.

Model files come from strangers, and llama.cpp aborts or worse on crafted ones; this reader decides first.
Layout: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

import mmap
import struct
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Final

from llmrec.models.errors import ModelNotFound, ModelRejected

Scalar = int | float | bool | str

_MAGIC: Final = b"GGUF"
_MAX_TENSORS: Final = 20_000
_MAX_KEYS: Final = 4_096
_MAX_KEY: Final = 256
_MAX_STRING: Final = 8 << 20
_MAX_ARRAY: Final = 4_000_000
_MAX_DIM: Final = 1 << 40
_SCALARS: Final = {
    0: "<B",
    1: "<b",
    2: "<H",
    3: "<h",
    4: "<I",
    5: "<i",
    6: "<f",
    7: "<?",
    10: "<Q",
    11: "<q",
    12: "<d",
}
_STRING, _ARRAY = 8, 9
# fmt: off
_BLOCKS: Final = {  # ggml type: (values per block, bytes per block)
    0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34), 9: (32, 40),
    10: (256, 84), 11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210), 15: (256, 292),
    16: (256, 66), 17: (256, 74), 18: (256, 98), 19: (256, 50), 20: (32, 18), 21: (256, 110), 22: (256, 82),
    23: (256, 136),
    24: (1, 1), 25: (1, 2), 26: (1, 4), 27: (1, 8), 28: (1, 8), 29: (256, 56), 30: (1, 2), 34: (256, 54),
    35: (256, 66), 39: (32, 17), 40: (64, 36), 41: (128, 18),
}
# fmt: on


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """One tensor's entry."""

    name: str
    """Such as `blk.0.attn_q.weight`."""
    shape: tuple[int, ...]
    """Sizes, the fastest-changing first."""
    kind: int
    """The ggml type number."""
    offset: int
    """Bytes from the start of the data section."""

    @property
    def size(self) -> int:
        """Bytes of data."""
        values, width = _BLOCKS[self.kind]
        return prod(self.shape) // values * width


@dataclass(frozen=True, slots=True)
class Header:
    """What a GGUF file says of itself."""

    version: int
    """2 or 3."""
    metadata: dict[str, Scalar]
    """Keys with their values; arrays are left out."""
    arrays: dict[str, int]
    """Keys of arrays with their lengths."""
    tensors: tuple[TensorInfo, ...]
    """In file order."""
    data_start: int
    """Offset of the data section."""
    size: int
    """Bytes of the file."""

    @property
    def architecture(self) -> str:
        """Such as `bert` or `llama`."""
        return str(self.metadata.get("general.architecture", ""))

    @property
    def is_encoder(self) -> bool:
        """Whether the file turns texts into vectors rather than continuing them."""
        return f"{self.architecture}.pooling_type" in self.metadata or "bert" in self.architecture

    def number(self, key: str, default: int = 0) -> int:
        """Look up a whole number of the architecture, such as `context_length`."""
        value = self.metadata.get(f"{self.architecture}.{key}", default)
        return value if isinstance(value, int) else default

    def token(self, name: str, default: int) -> int:
        """Look up the id of a special token, such as `cls`."""
        value = self.metadata.get(f"tokenizer.ggml.{name}_token_id", default)
        return value if isinstance(value, int) else default


def read_header(path: Path) -> Header:
    """Read and check everything before the tensor data.

    Raises:
        ModelNotFound: no such file.
        ModelRejected: not a GGUF file of version 2 or 3, a count beyond its cap, or tensors beyond the end.
    """
    try:
        with path.open("rb") as file:
            if path.stat().st_size < 24:
                raise ModelRejected(f"{path.name} is not a GGUF model file: it has fewer than 24 bytes.")
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return _Reader(data, path.name).header()
    except FileNotFoundError as exc:
        raise ModelNotFound(f"There is no model file at {path}; see `llmrec models list` for what can be had.") from exc
    except (OSError, ValueError) as exc:
        raise ModelRejected(f"{path.name} could not be read: {getattr(exc, 'strerror', None) or exc}.") from exc


class _Reader:
    """A cursor over the mapped file that refuses to pass its end."""

    def __init__(self, data: mmap.mmap, name: str):
        self._data, self._name, self._at, self._end = data, name, 0, len(data)

    def header(self) -> Header:
        if self._take(4) != _MAGIC:
            raise self._bad("it does not start with GGUF")
        version = self._number("<I")
        if version not in (2, 3):
            raise self._bad(f"version {version} is not 2 or 3")
        n_tensors, n_keys = self._number("<Q"), self._number("<Q")
        if n_tensors > _MAX_TENSORS or n_keys > _MAX_KEYS:
            raise self._bad(f"it claims {n_tensors} tensors and {n_keys} keys")
        if n_tensors == 0:
            raise ModelRejected(f"{self._name} holds a tokenizer but no weights: it can neither embed nor write.")
        metadata, arrays = self._keys(n_keys)
        tensors = tuple(self._tensor() for _ in range(n_tensors))
        alignment = metadata.get("general.alignment", 32)
        if not isinstance(alignment, int) or alignment not in (
            8,
            16,
            32,
            64,
            128,
            256,
            512,
            1024,
            2048,
            4096,
        ):
            raise self._bad(f"alignment {alignment!r} is not a small power of two")
        start = -(-self._at // alignment) * alignment
        self._check_data(tensors, start, alignment)
        return Header(version, metadata, arrays, tensors, start, self._end)

    def _keys(self, count: int) -> tuple[dict[str, Scalar], dict[str, int]]:
        metadata: dict[str, Scalar] = {}
        arrays: dict[str, int] = {}
        for _ in range(count):
            key = self._string(_MAX_KEY)
            kind = self._number("<I")
            if not key or key in metadata or key in arrays:
                raise self._bad(f"the key {key[:40]!r} is empty or there twice")
            if kind == _ARRAY:
                arrays[key] = self._skip_array()
            elif kind == _STRING:
                metadata[key] = self._string(_MAX_STRING)
            else:
                metadata[key] = self._scalar(kind)
        return metadata, arrays

    def _skip_array(self) -> int:
        kind, count = self._number("<I"), self._number("<Q")
        if count > _MAX_ARRAY:
            raise self._bad(f"an array claims {count} entries")
        if kind == _STRING:
            self._skip_strings(count)
        elif kind in _SCALARS:
            self._skip(struct.calcsize(_SCALARS[kind]) * count)
        else:
            raise self._bad(f"an array has entries of unknown type {kind}")
        return count

    def _skip_strings(self, count: int) -> None:
        """Pass the words of a vocabulary, tens of thousands, which the app's start waits for: no calls, no copies."""
        at, last, length_at = self._at, self._end - 8, struct.Struct("<Q").unpack_from
        for _ in range(count):
            if at > last:
                raise self._bad("it is cut short; get it again")
            (length,) = length_at(self._data, at)
            if length > _MAX_STRING:
                raise self._bad(f"a string claims {length} bytes")
            at += 8 + length
        self._skip(at - self._at)

    def _tensor(self) -> TensorInfo:
        name = self._string(_MAX_KEY)
        n_dims = self._number("<I")
        if not 1 <= n_dims <= 4:
            raise self._bad(f"tensor {name[:40]!r} has {n_dims} dimensions")
        shape = tuple(self._number("<Q") for _ in range(n_dims))
        kind, offset = self._number("<I"), self._number("<Q")
        if kind not in _BLOCKS or not all(0 < size <= _MAX_DIM for size in shape) or shape[0] % _BLOCKS[kind][0]:
            raise self._bad(f"tensor {name[:40]!r} has type {kind} and shape {shape}")
        return TensorInfo(name, shape, kind, offset)

    def _check_data(self, tensors: tuple[TensorInfo, ...], start: int, alignment: int) -> None:
        """Offsets aligned and following each other, and all data inside the file."""
        if len({tensor.name for tensor in tensors}) != len(tensors):
            raise self._bad("two tensors have the same name")
        expected = 0
        for tensor in tensors:
            if tensor.offset != expected:
                raise self._bad(f"tensor {tensor.name[:40]!r} is not where it should be")
            expected = -(-(tensor.offset + tensor.size) // alignment) * alignment
            if start + tensor.offset + tensor.size > self._end:
                raise self._bad("it is cut short; get it again")

    def _scalar(self, kind: int) -> Scalar:
        if kind not in _SCALARS:
            raise self._bad(f"a value has unknown type {kind}")
        code = _SCALARS[kind]
        value: Scalar = struct.unpack(code, self._take(struct.calcsize(code)))[0]
        return value

    def _string(self, largest: int) -> str:
        length = self._number("<Q")
        if length > largest:
            raise self._bad(f"a string claims {length} bytes")
        return self._take(length).decode("utf-8", "replace")

    def _number(self, code: str) -> int:
        return int(struct.unpack(code, self._take(struct.calcsize(code)))[0])

    def _take(self, count: int) -> bytes:
        at = self._at
        self._skip(count)
        return self._data[at : self._at]

    def _skip(self, count: int) -> None:
        if count > self._end - self._at:
            raise self._bad("it is cut short; get it again")
        self._at += count

    def _bad(self, why: str) -> ModelRejected:
        return ModelRejected(f"{self._name} is not a usable GGUF model file: {why}.")
