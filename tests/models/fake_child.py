"""A model process that misbehaves on purpose: `fake_child.py MODE ...`. Speaks the protocol, loads nothing."""

import os
import signal
import struct
import sys
import time
from typing import Any

from llmrec.models.protocol import VERSION, FrameDecoder, encode_frame


def send(fields: dict[str, Any], binary: bytes = b"") -> None:
    data = encode_frame(fields, binary)
    while data:
        data = data[os.write(1, data) :]


def generate(mode: str, number: int) -> None:
    """Answer a request in the way the mode says."""
    if mode == "hang":
        time.sleep(3600)
    elif mode == "stop":
        os.kill(os.getpid(), signal.SIGSTOP)
    elif mode == "flood":
        while True:
            send({"id": number, "is": "piece", "text": "more "})
    elif mode == "slow":
        for _ in range(1000):
            send({"id": number, "is": "piece", "text": "word "})
            time.sleep(0.01)
    elif mode == "exit-mid-token":
        send({"id": number, "is": "piece", "text": "half a "})
        os._exit(3)
    elif mode == "abort":
        os.abort()
    elif mode == "half-frame":
        os.write(1, struct.pack("<I", 100) + b"{")
        os._exit(0)
    elif mode == "huge-frame":
        os.write(1, struct.pack("<I", 1 << 31))
        time.sleep(3600)
    elif mode == "garbage":
        os.write(1, struct.pack("<I", 5) + b"hello")
        time.sleep(3600)
    elif mode == "environment":
        send({"id": number, "is": "piece", "text": os.environ.get("GOMP_SPINCOUNT", "not set")})
    else:
        send({"id": number, "is": "piece", "text": f"{mode} answers"})
    send({"id": number, "is": "done"})


def main() -> None:
    mode = sys.argv[1]
    if mode == "no-start":
        time.sleep(3600)
    if mode == "ignore-term":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    send({"id": 0, "is": "done", "version": VERSION if mode != "old" else VERSION - 1})
    decoder = FrameDecoder()
    while True:
        data = os.read(0, 1 << 16)
        if not data and mode == "ignore-term":
            time.sleep(3600)
        if not data:
            return
        decoder.feed(data)
        while (frame := decoder.next()) is not None:
            operation, number = frame.fields["op"], frame.fields["id"]
            if operation == "generate":
                generate(mode, number)
            elif operation == "health":
                send({"id": number, "is": "done", "pid": os.getpid()})


if __name__ == "__main__":
    main()
