"""Prompts to texts, and texts to probabilities, inside the model process.

Owns the order of a prompt's tokens: trusted parts may hold control tokens, the item's text never, and the stable
part comes first so that its computation is kept from one item to the next.
"""

import codecs
import time
from collections.abc import Callable, Iterator, Sequence

import jinja2
import numpy as np

from llmrec.models import FloatArray, Prompt, prompts
from llmrec.models.errors import ModelFailed, ModelRejected
from llmrec.models.gguf_header import Header
from llmrec.models.llama import DecoderContext, Weights
from llmrec.models.sentences import opening
from llmrec.models.think import ThinkFilter

MAX_CONTEXT = 4096
"""Tokens of prompt and answer together, at most."""
MAX_ITEM = 500
"""Tokens of an item's text that the model sees."""
_CHARACTERS_PER_TOKEN = 12
_CHUNK = 128
"""Tokens read at once; also bounds the logit buffer when texts are scored."""
_CHUNK_SECONDS = 0.25
"""Aim for one chunk, so that a prompt can be cancelled while it is read."""
_ITEM_MARK = "\u27e6item\u27e7"
"""Stands for the item while the chat template is filled in; never reaches the model."""


class Generator:
    """A loaded writer, with the tokens it has computed."""

    def __init__(self, weights: Weights, header: Header, threads: int):
        self._weights = weights
        template = header.metadata.get("tokenizer.chat_template")
        self._chat = weights.chat(template) if isinstance(template, str) and template else None
        size = min(MAX_CONTEXT, weights.train_context)
        self._context = DecoderContext(weights, size, min(_CHUNK, size), threads)
        self._chunk = self._context.chunk
        self._done: list[int] = []
        self.reused = 0
        """Tokens of the last prompt that were not computed again."""

    def close(self) -> None:
        """Free context and weights."""
        self._context.close()
        self._weights.close()

    def stream(
        self, prompt: Prompt, max_tokens: int, temperature: float, seed: int, cancelled: Callable[[], bool]
    ) -> Iterator[str]:
        """Pieces of the continuation; ends at the model's end token, at `max_tokens`, or when cancelled."""
        tokens = self.prompt_tokens(prompt, max_tokens)
        if not self._read(tokens, len(tokens) - 1, cancelled):
            return
        self._context.start_sampling(temperature, seed)
        utf8, visible = codecs.getincrementaldecoder("utf-8")("replace"), ThinkFilter()
        for _ in range(max_tokens):
            token = self._context.sample()
            if cancelled() or self._weights.ends(token):
                break
            if text := visible.feed(utf8.decode(self._weights.piece(token))):
                yield text
            self._context.read([token], len(self._done), logits_from=0)
            self._done.append(token)
        if text := visible.feed(utf8.decode(b"", final=True)) + visible.rest():
            yield text

    def score(self, prompt: Prompt, texts: Sequence[str], cancelled: Callable[[], bool]) -> list[float]:
        """Mean log-probability per token (nats) of each text after the prompt; fewer values when cancelled."""
        longest = self._context.size // 2
        texts = texts if self._chat else [prompts.answer(text) for text in texts]
        candidates = [
            self._weights.tokenize(text[: longest * _CHARACTERS_PER_TOKEN], special=False)[:longest] for text in texts
        ]
        tokens = self.prompt_tokens(prompt, max(map(len, candidates), default=0))
        scores: list[float] = []
        for candidate in candidates:
            if not candidate:
                scores.append(float("-inf"))
                continue
            if not self._read(tokens[:-1], len(tokens) - 2, cancelled, logits=False):
                break
            scores.append(self._continuation(tokens[-1:] + candidate))
        return scores

    def prompt_tokens(self, prompt: Prompt, room: int) -> list[int]:
        """Token ids of a prompt, the item's text cut so that `room` tokens are left for the answer.

        Raises:
            ModelRejected: the trusted parts alone are too long for the model.
        """
        before, after, plain = self._around_item(prompt)
        head = (self._weights.starts() if plain else []) + self._weights.tokenize(before, special=True)
        tail = self._weights.tokenize(after, special=True)
        space = self._context.size - len(head) - len(tail) - room
        if space < 0:
            raise ModelRejected(
                f"The prompt and an answer of {room} tokens do not fit the {self._context.size} tokens of "
                f"{self._weights.name}; ask for less, or choose a model with a longer context."
            )
        tokens = head + self._item_tokens(prompt.item, min(space, MAX_ITEM)) + tail
        if not tokens:
            raise ModelRejected("The prompt is empty.")
        return tokens

    def _item_tokens(self, text: str, room: int) -> list[int]:
        """At most `room` tokens of an item's start: whole sentences if possible, because a part of one is copied so."""
        text = text[: MAX_ITEM * _CHARACTERS_PER_TOKEN]
        tokens = self._weights.tokenize(text, special=False)
        while len(tokens) > room and (shorter := opening(text, len(text) * room // len(tokens))):
            text, tokens = shorter, self._weights.tokenize(shorter, special=False)
        return tokens[:room]

    def _around_item(self, prompt: Prompt) -> tuple[str, str, bool]:
        """What comes before and after the item's text, and whether that is plain text without a chat template."""
        if self._chat is None:
            return *prompts.plain(prompt), True
        user = f"{_ITEM_MARK}\n\n{prompt.ask}" if prompt.ask else _ITEM_MARK
        filled = self._filled(prompt.system, user)
        before, mark, after = filled.partition(_ITEM_MARK)
        if not mark:
            raise ModelRejected(f"The chat template of {self._weights.name} drops the question; choose another model.")
        return before, after, False

    def _filled(self, system: str, user: str) -> str:
        """The chat template filled in; templates that know no system turn get its text in the user's."""
        assert self._chat is not None
        asked = [{"role": "user", "content": user}]
        merged = [{"role": "user", "content": f"{system}\n\n{user}" if system else user}]
        try:
            filled = self._chat([{"role": "system", "content": system}, *asked] if system else asked)
            return filled if system in filled else self._chat(merged)
        except ValueError:
            return self._chat(merged)
        except (jinja2.TemplateError, TypeError, ArithmeticError, LookupError) as exc:
            raise ModelRejected(f"The chat template of {self._weights.name} does not work: {exc}.") from exc

    def _read(
        self, tokens: list[int], keep_at_most: int, cancelled: Callable[[], bool], *, logits: bool = True
    ) -> bool:
        """Bring the context to hold exactly `tokens`, reusing the common prefix; False when cancelled on the way."""
        common = _common_prefix(self._done, tokens, max(0, keep_at_most) if logits else len(tokens))
        if common < len(self._done):
            common = common if self._context.keep(common) else 0
            del self._done[common:]
        self.reused = common
        at = common
        while at < len(tokens):
            if cancelled():
                return False
            began = time.perf_counter()
            chunk = tokens[at : at + self._chunk]
            last = at + len(chunk) == len(tokens)
            self._context.read(chunk, at, logits_from=len(chunk) - 1 if last and logits else None)
            self._done += chunk
            at += len(chunk)
            self._pace(len(chunk), time.perf_counter() - began)
        return True

    def _pace(self, count: int, seconds: float) -> None:
        """Size the next chunk so that it takes about `_CHUNK_SECONDS`."""
        if count == self._chunk or seconds > _CHUNK_SECONDS:
            fitting = int(count * _CHUNK_SECONDS / max(seconds, 1e-6))
            self._chunk = min(self._context.chunk, max(8, fitting))

    def _continuation(self, tokens: list[int]) -> float:
        """Mean log p of tokens[1:], each given what came before; the context holds all before tokens[0]."""
        total, first = 0.0, len(self._done)
        inputs, targets = tokens[:-1], tokens[1:]
        for at in range(0, len(inputs), self._context.chunk):
            chunk = inputs[at : at + self._context.chunk]
            self._context.read(chunk, first + at, logits_from=0)
            self._done += chunk
            for i in range(len(chunk)):
                total += log_probability(self._context.logits(i), targets[at + i])
        if not np.isfinite(total):
            raise ModelFailed(f"{self._weights.name} gave logits that are not finite; the file is damaged.")
        return total / len(targets)


def log_probability(logits: FloatArray, token: int) -> float:
    """Log softmax of one entry, in float64: z_t - max(z) - log sum exp(z - max(z))."""
    shifted = logits.astype(np.float64) - logits.max()  # (v,)
    return float(shifted[token] - np.log(np.exp(shifted).sum()))


def _common_prefix(left: Sequence[int], right: Sequence[int], limit: int) -> int:
    """Length of the common start, at most `limit`."""
    count = 0
    for a, b in zip(left, right[:limit], strict=False):
        if a != b:
            break
        count += 1
    return count
