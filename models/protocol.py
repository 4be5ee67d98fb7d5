"""The frames that the app and the model process exchange, and nothing else.

A frame is a 4-byte little-endian length, a JSON object of that length, and, when the object has `"bytes": n`, n
raw bytes (float32 vectors). Both sides refuse lengths beyond the caps, so a broken peer cannot exhaust memory.

    to the child      {"id": 7, "op": "load" | "embed" | "generate" | "score" | "tokenize" | "health", ...}
                      {"id": 7, "op": "cancel"}
    from the child    {"id": 7, "is": "piece", "text": ...}    any number, while it writes
                      {"id": 7, "is": "done", ...}             the last word, cancelled or not
                      {"id": 7, "is": "error", "kind": "rejected" | "failed", "text": ...}
    at its start      {"id": 0, "is": "done", "version": 1}
"""

import json
import struct
from dataclasses import dataclass
from typing import Any

VERSION = 1
MAX_HEADER = 16 << 20
MAX_BINARY = 256 << 20
_LENGTH = struct.Struct("<I")


class ProtocolError(Exception):
    """The peer sent something that is not a frame."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One message."""

    fields: dict[str, Any]
    """The JSON object, without `bytes`."""
    binary: bytes = b""
    """What followed it."""


def encode_frame(fields: dict[str, Any], binary: bytes = b"") -> bytes:
    """Bytes of one frame.

    Raises:
        ProtocolError: it would exceed a cap.
    """
    if binary:
        fields = {**fields, "bytes": len(binary)}
    header = json.dumps(fields, separators=(",", ":")).encode()
    if len(header) > MAX_HEADER or len(binary) > MAX_BINARY:
        raise ProtocolError(f"a frame of {len(header)} + {len(binary)} bytes is too large")
    return _LENGTH.pack(len(header)) + header + binary


class FrameDecoder:
    """Cuts a stream of bytes into frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> None:
        """Add bytes that arrived."""
        self._buffer += data

    def next(self) -> Frame | None:
        """The next whole frame, or None until more bytes arrive.

        Raises:
            ProtocolError: a length beyond its cap, or a header that is not a JSON object.
        """
        if len(self._buffer) < _LENGTH.size:
            return None
        (length,) = _LENGTH.unpack_from(self._buffer)
        if length > MAX_HEADER:
            raise ProtocolError(f"a header of {length} bytes is too large")
        end = _LENGTH.size + length
        if len(self._buffer) < end:
            return None
        fields = _parse(bytes(self._buffer[_LENGTH.size : end]))
        size = fields.pop("bytes", 0)
        if not isinstance(size, int) or not 0 <= size <= MAX_BINARY:
            raise ProtocolError(f"{size!r} bytes of data are too many")
        if len(self._buffer) < end + size:
            return None
        binary = bytes(self._buffer[end : end + size])
        del self._buffer[: end + size]
        return Frame(fields, binary)


def _parse(header: bytes) -> dict[str, Any]:
    """Read a header as a JSON object."""
    try:
        fields = json.loads(header)
    except (ValueError, RecursionError) as exc:
        raise ProtocolError("a header is not JSON") from exc
    if not isinstance(fields, dict):
        raise ProtocolError("a header is not a JSON object")
    return fields
