"""The model process: `python -m llmrec.models.worker`, started and ended by `child`.

It reads requests on its first pipe and answers on its second. Before llama.cpp is loaded, both pipes move to
descriptors of their own and everything printed goes to the log, because llama.cpp and its libraries print where
they like. One request at a time; `cancel` and the end of the pipe are seen at once by a second thread.
"""

import argparse
import os
import queue
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmrec.models import Prompt, sandbox
from llmrec.models.errors import ModelError, ModelFailed, ModelRejected
from llmrec.models.gguf_header import read_header
from llmrec.models.protocol import VERSION, Frame, FrameDecoder, encode_frame

if TYPE_CHECKING:
    from llmrec.models.encode import Encoder
    from llmrec.models.generate import Generator

_READ = 1 << 18


class Worker:
    """Answers requests with the models it has loaded."""

    def __init__(self, requests: int, answers: int, threads: int, confined: str):
        self._requests, self._answers = requests, answers
        self._threads = threads
        self._confined = confined
        self._waiting: queue.SimpleQueue[Frame] = queue.SimpleQueue()
        self._cancelled: set[int] = set()
        self._encoder: Encoder | None = None
        self._generator: Generator | None = None
        self._offload: dict[str, str] = {}

    def run(self) -> None:
        """Serve until the pipe ends, which ends the process."""
        threading.Thread(target=self._listen, daemon=True).start()
        self._send({"id": 0, "is": "done", "version": VERSION})
        operations = {
            "load": self._load,
            "embed": self._embed,
            "generate": self._generate,
            "score": self._score,
            "tokenize": self._tokenize,
            "quantize": self._quantize,
            "health": self._health,
        }
        while True:
            frame = self._waiting.get()
            self._answer(frame.fields, operations)

    def _answer(self, fields: dict[str, Any], operations: Mapping[str, Callable[[int, dict[str, Any]], None]]) -> None:
        number = fields.get("id", 0)
        try:
            operations[fields["op"]](number, fields)
        except ModelError as exc:
            kind = "rejected" if isinstance(exc, ModelRejected) else "failed"
            self._send({"id": number, "is": "error", "kind": kind, "text": str(exc)})
        except MemoryError:
            text = "The model process ran out of memory; choose a smaller model."
            self._send({"id": number, "is": "error", "kind": "failed", "text": text})
        finally:
            self._cancelled.discard(number)

    def _listen(self) -> None:
        """Take frames off the pipe; its end means that nobody is there any more."""
        decoder = FrameDecoder()
        while data := os.read(self._requests, _READ):
            decoder.feed(data)
            while (frame := decoder.next()) is not None:
                if frame.fields.get("op") == "cancel":
                    self._cancelled.add(frame.fields["id"])
                else:
                    self._waiting.put(frame)
        os._exit(0)

    def _send(self, fields: dict[str, Any], binary: bytes = b"") -> None:
        left = memoryview(encode_frame(fields, binary))
        while left:
            left = left[os.write(self._answers, left) :]

    def _load(self, number: int, fields: dict[str, Any]) -> None:
        """Load one model in place of the last one of its role."""
        self._unload(fields["role"])
        self._offload[fields["role"]] = self._place(fields)
        self._send({"id": number, "is": "done"})

    def _place(self, fields: dict[str, Any]) -> str:
        """Load a model with all layers on the graphics card, else on the processor; returns which, in words."""
        from llmrec.models.llama import uses_gpu

        if not uses_gpu():
            self._take(fields, on_gpu=False)
            return "none: this build of llama.cpp computes on the processor"
        try:
            return f"all {self._take(fields, on_gpu=True)} layers on the graphics card"
        except ModelError as exc:
            self._take(fields, on_gpu=False)
            told = f"none: the graphics card did not take it, so the processor computes ({exc})"
            os.write(2, f"{fields['path']}: {told}\n".encode())
            return told

    def _take(self, fields: dict[str, Any], *, on_gpu: bool) -> int:
        """Read a file and make its contexts; returns its number of layers."""
        from llmrec.models import encode
        from llmrec.models.generate import Generator
        from llmrec.models.llama import Weights

        path = Path(fields["path"])
        header = read_header(path)
        with path.open("rb") as file:
            stat = os.fstat(file.fileno())
            if [stat.st_ino, stat.st_size, stat.st_mtime_ns] != fields["stamp"]:
                raise ModelRejected(f"{path.name} changed while it was loaded; try again.")
            same = f"/proc/self/fd/{file.fileno()}"  # the file that was checked, whatever the path means by now
            opened = same if sys.platform == "linux" else str(path)
            if fields["role"] == "embed":
                self._encoder = encode.load(opened, path.name, header, self._threads, on_gpu=on_gpu)
                return self._encoder.layers
            weights = Weights(opened, path.name, on_gpu=on_gpu)
        try:
            self._generator = Generator(weights, header, self._threads)
        except ModelError:
            weights.close()
            raise
        return weights.layers

    def _unload(self, role: str) -> None:
        """Free the model of a role before its successor takes memory."""
        if role == "embed" and self._encoder is not None:
            self._encoder.close()
            self._encoder = None
        elif role == "write" and self._generator is not None:
            self._generator.close()
            self._generator = None

    def _embed(self, number: int, fields: dict[str, Any]) -> None:
        rows = self._need_encoder().vectors(fields["texts"], self._asked_to_stop(number))
        self._send({"id": number, "is": "done"}, rows.tobytes())

    def _generate(self, number: int, fields: dict[str, Any]) -> None:
        generator = self._need_generator()
        options = fields["max_tokens"], fields["temperature"], fields["seed"]
        for text in generator.stream(_prompt(fields), *options, self._asked_to_stop(number)):
            self._send({"id": number, "is": "piece", "text": text})
        self._send({"id": number, "is": "done", "reused": generator.reused})

    def _score(self, number: int, fields: dict[str, Any]) -> None:
        scores = self._need_generator().score(_prompt(fields), fields["texts"], self._asked_to_stop(number))
        self._send({"id": number, "is": "done", "scores": scores})

    def _tokenize(self, number: int, fields: dict[str, Any]) -> None:
        if fields["role"] == "embed":
            tokens = self._need_encoder().tokens(fields["text"])
        else:
            tokens = self._need_generator().prompt_tokens(_prompt(fields), 0)
        self._send({"id": number, "is": "done", "tokens": tokens})

    def _quantize(self, number: int, fields: dict[str, Any]) -> None:
        from llmrec.models.llama import quantize

        quantize(Path(fields["path"]), Path(fields["out"]), fields["ftype"])
        self._send({"id": number, "is": "done"})

    def _health(self, number: int, _: dict[str, Any]) -> None:
        from llmrec.models.llama import blas, graphics_cards, system_info, uses_gpu

        loaded = [role for role, model in (("embed", self._encoder), ("write", self._generator)) if model]
        answer = {"sandbox": self._confined, "threads": self._threads, "loaded": loaded, "system": system_info()}
        answer |= {"blas": blas(), "offload": self._offload, "gpu": uses_gpu(), "cards": graphics_cards()}
        self._send({"id": number, "is": "done", "pid": os.getpid(), **answer})

    def _asked_to_stop(self, number: int) -> Callable[[], bool]:
        return lambda: number in self._cancelled

    def _need_encoder(self) -> "Encoder":
        if self._encoder is None:
            raise ModelFailed("No encoder is loaded.")
        return self._encoder

    def _need_generator(self) -> "Generator":
        if self._generator is None:
            raise ModelFailed("No writer is loaded.")
        return self._generator


def _prompt(fields: dict[str, Any]) -> Prompt:
    return Prompt(fields["system"], fields["item"], fields["ask"])


def _own_descriptors() -> tuple[int, int]:
    """Move both pipes away from descriptors 0 and 1, which become silence and the log."""
    requests, answers = os.dup(0), os.dup(1)
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    return requests, answers


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the process."""
    parser = argparse.ArgumentParser(prog="python -m llmrec.models.worker")
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--read", type=Path, action="append", default=[])
    parser.add_argument("--write", type=Path, action="append", default=[])
    options = parser.parse_args(arguments)
    sandbox.die_with(options.parent)
    requests, answers = _own_descriptors()
    sandbox.limit(may_write=bool(options.write))
    try:
        from llmrec.models import llama  # before the sandbox closes, because libraries are opened here
    except (ImportError, OSError, RuntimeError) as exc:
        text = f"llama.cpp does not load on this machine ({exc}); install llama-cpp-python again."
        os.write(answers, encode_frame({"id": 0, "is": "error", "kind": "failed", "text": text}))
        return
    if llama.uses_gpu():
        confined = "none: graphics drivers open what they like"
    else:
        confined = sandbox.confine(options.read, options.write)
    Worker(requests, answers, options.threads, confined).run()


if __name__ == "__main__":
    main()
