"""Frames survive any way of cutting the stream, and nothing beyond the caps is accepted."""

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmrec.models.protocol import MAX_BINARY, Frame, FrameDecoder, ProtocolError, encode_frame

FIELDS = st.dictionaries(st.text(max_size=8).filter(lambda key: key != "bytes"), st.integers() | st.text(max_size=40))


@given(st.lists(st.tuples(FIELDS, st.binary(max_size=50)), max_size=5), st.integers(1, 17))
def test_frames_come_out_as_they_went_in(frames: list[tuple[dict[str, Any], bytes]], step: int) -> None:
    stream = b"".join(encode_frame(fields, binary) for fields, binary in frames)
    decoder, found = FrameDecoder(), []
    for start in range(0, len(stream), step):
        decoder.feed(stream[start : start + step])
        while (frame := decoder.next()) is not None:
            found.append(frame)
    assert found == [Frame(fields, binary) for fields, binary in frames]


@pytest.mark.parametrize(
    "data",
    [
        struct.pack("<I", 1 << 31),
        struct.pack("<I", 5) + b"hello",
        struct.pack("<I", 2) + b"[]",
        struct.pack("<I", 12) + b'{"bytes":-1}',
        struct.pack("<I", 13) + b'{"bytes":"x"}',
        encode_frame({"bytes": MAX_BINARY + 1}),
        struct.pack("<I", 9000) + b"[" * 9000,
    ],
)
def test_nonsense_is_refused(data: bytes) -> None:
    decoder = FrameDecoder()
    decoder.feed(data)
    with pytest.raises(ProtocolError):
        decoder.next()


def test_a_frame_too_large_is_not_sent() -> None:
    with pytest.raises(ProtocolError):
        encode_frame({"text": "x" * (17 << 20)})
