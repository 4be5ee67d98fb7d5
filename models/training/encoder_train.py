"""The training loop of the student encoder: it learns to give the teacher's vectors.

Loss of a batch: squared distance of the pooled unit vectors (twice one minus their cosine), squared distance of hidden
states token by token after each of the student's layers, and squared distance of the two cosine matrices between the
batch's texts. A layer of the student learns what the teacher's layer gives from which the next one was taken, so that
the stitches close first. Sources: DistilBERT (Sanh et al., 2019, https://arxiv.org/abs/1910.01108) for taking some of
the layers, TinyBERT (Jiao et al., 2020, https://arxiv.org/abs/1909.10351) for hidden states, relational distillation
(Park et al., 2019, https://arxiv.org/abs/1904.05068) for the cosine matrix.
"""

import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import islice

import torch
from torch import Tensor, nn

from llmrec.models.training.bert import Bert, Output
from llmrec.models.training.checkpoints import CheckpointError, Checkpoints, State
from llmrec.models.training.encoder_batches import endless, token_ids
from llmrec.models.training.encoder_texts import TokenTexts

COOL_DOWN = 0.3
"""Share of the steps over which the learning rate falls."""
_AHEAD = 3
"""Batches that the teacher is ahead of the student."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What decides the outcome of a run, besides data, teacher and length."""

    layers: tuple[int, ...] = (0, 2, 5)
    """The teacher's layers the student begins with."""
    targets: tuple[int, ...] = (1, 4, 5)
    """The teacher's layers whose hidden states the student's layers learn to give."""
    tokens: int = 1_024
    """Tokens of a batch at most."""
    rate: float = 2.5e-4
    """Highest learning rate."""
    warm_up: int = 60
    """Updates until the highest rate."""
    decay: float = 0.01
    """Weight decay of matrices."""
    tokens_weight: float = 1.0
    """Of the token loss, beside the vectors' 1."""
    pairs_weight: float = 1.0
    """Of the cosine matrix's loss."""
    seed: int = 5
    """Of the order of texts."""

    def rate_at(self, step: int, steps: int) -> float:
        """Learning rate of update `step` of `steps`: up, level, and down to zero over the last `COOL_DOWN`.

        A level middle, so that the number of steps may be changed until the descent begins.
        Source: Hägele et al., 2024, https://arxiv.org/abs/2405.18392 (the 1 - sqrt descent).
        """
        rise = min(1.0, (step + 1) / self.warm_up)
        down = max(0.0, 1 - (steps - step) / (COOL_DOWN * steps))
        return self.rate * rise * (1 - math.sqrt(down))


@dataclass(frozen=True, slots=True)
class Losses:
    """The three parts of a batch's loss, unweighted."""

    vectors: Tensor
    """Squared distance of unit vectors; 2 - 2 cos."""
    tokens: Tensor
    """Squared distance of the hidden states of each layer (l,), relative to the variance of the teacher's."""
    pairs: Tensor
    """Squared difference of cosines between texts, summed over the other texts."""


def losses(student: Output, teacher: Output, targets: Sequence[int]) -> Losses:
    """Distance of the student's output from the teacher's for the same batch.

    Args:
        student: its output for b texts.
        teacher: the same of the teacher.
        targets: the teacher's layer that each of the student's is compared with.
    """
    b = len(teacher.vectors)
    vectors = (student.vectors - teacher.vectors).square().sum(-1).mean()
    tokens = torch.stack(
        [
            (ours - teacher.hidden[n]).square().mean() / teacher.hidden[n].var()
            for ours, n in zip(student.hidden, targets, strict=True)
        ]
    )
    gap = student.vectors @ student.vectors.T - teacher.vectors @ teacher.vectors.T  # (b, d) @ (d, b) -> (b, b)
    return Losses(vectors, tokens, gap.square().sum() / b)


class Trainer:
    """A run that can stop at any step and go on as if it had not."""

    def __init__(self, teacher: Bert, student: Bert, texts: TokenTexts, recipe: Recipe):
        """Train `student` in place, on the device where its weights are."""
        self.recipe, self.student = recipe, student
        self._teacher = teacher.eval().requires_grad_(False)
        self._texts = texts
        for table in (student.embeddings.word_embeddings, student.embeddings.position_embeddings):
            table.requires_grad_(False)
        self.device = next(student.parameters()).device
        self._optimizer = _optimizer(student, recipe)
        self.step = 0

    def state(self) -> State:
        """All that decides the further course."""
        return {
            "recipe": repr(self.recipe),
            "step": self.step,
            "student": self.student.state_dict(),
            "optimizer": self._optimizer.state_dict(),
        }

    def restore(self, state: State) -> None:
        """Go on from a state of the same recipe.

        Raises:
            CheckpointError: it is of another recipe.
        """
        if state["recipe"] != repr(self.recipe):
            raise CheckpointError("The checkpoint is of another recipe; delete it or use the same settings.")
        self.student.load_state_dict(state["student"])
        self._optimizer.load_state_dict(state["optimizer"])
        self.step = state["step"]

    def run(self, steps: int, checkpoints: Checkpoints, report: Callable[[int, Losses], None]) -> None:
        """Train until `steps` updates are done in all, saving when due and at the end."""
        for ids, wanted in self._lessons(max(0, steps - self.step)):
            parts = self._update(ids, wanted, self.recipe.rate_at(self.step, steps))
            self.step += 1
            report(self.step, parts)
            if checkpoints.due() or self.step == steps:
                checkpoints.save(self.state())

    def _lessons(self, count: int) -> Iterator[tuple[Tensor, Output]]:
        """Token ids (b, s) and the teacher's answer to them, which another thread works out a little ahead.

        On two cores this beats two threads in every product: neither waits for the other.
        """
        batches = islice(endless(self._texts, self.recipe.tokens, self.recipe.seed, self.step), count)
        waiting: deque[tuple[Tensor, Future[Output]]] = deque()
        share = torch.get_num_threads()  # PyTorch keeps it by thread
        with ThreadPoolExecutor(1, initializer=torch.set_num_threads, initargs=(share,)) as pool:
            for rows in batches:
                ids = token_ids(self._texts, rows).to(self.device)
                waiting.append((ids, pool.submit(self._ask, ids)))
                if len(waiting) > _AHEAD:
                    ids, answer = waiting.popleft()
                    yield ids, answer.result()
            for ids, answer in waiting:
                yield ids, answer.result()

    def _ask(self, ids: Tensor) -> Output:
        with torch.no_grad(), _precision(self.device):
            answer: Output = self._teacher(ids)
        return answer

    def _update(self, ids: Tensor, wanted: Output, rate: float) -> Losses:
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        with _precision(self.device):
            parts = losses(self.student(ids), wanted, self.recipe.targets)
        weighted = (
            parts.vectors + self.recipe.tokens_weight * parts.tokens.sum() + self.recipe.pairs_weight * parts.pairs
        )
        self._optimizer.zero_grad()
        torch.autograd.backward(weighted)
        nn.utils.clip_grad_norm_(self.student.parameters(), 1.0)
        self._optimizer.step()
        return parts


def _optimizer(student: Bert, recipe: Recipe) -> torch.optim.AdamW:
    """AdamW with decay for matrices only; what is frozen is left out."""
    learnt = [weight for weight in student.parameters() if weight.requires_grad]
    groups = [
        {"params": [weight for weight in learnt if weight.ndim > 1], "weight_decay": recipe.decay},
        {"params": [weight for weight in learnt if weight.ndim == 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=recipe.rate, betas=(0.9, 0.98))


def _precision(device: torch.device) -> AbstractContextManager[object]:
    """Half the bytes on a GPU; on a processor float32 is faster."""
    return torch.autocast(device.type, torch.bfloat16) if device.type == "cuda" else nullcontext()
