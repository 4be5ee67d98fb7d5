"""The writer's training loop: it can stop after any update and go on as if it had not."""

import json
import math
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from statistics import fmean

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from llmrec.models.training.checkpoints import CheckpointError, Checkpoints, State
from llmrec.models.training.precision import mixed
from llmrec.models.training.writer_batches import Batch, Mixture
from llmrec.models.training.writer_model import Decoder
from llmrec.models.training.writer_recipes import Stage

_REPORT = 20
"""Updates between two lines of the log."""
_HELD_OUT = 60
"""Batches of the held-out half that perplexity is taken over, at most."""


class Trainer:
    """One stage of one model."""

    def __init__(self, model: Decoder, stage: Stage, mixture: Mixture, *, compiled: bool = False):
        """Train `model` in place, on the device where its weights are; `compiled` speeds up a GPU."""
        self.model, self.stage, self.step = model, stage, 0
        self.device = next(model.parameters()).device
        self._mixture = mixture
        self._optimizer = _optimizer(model, stage, fused=True)
        self._forward: Callable[..., Tensor] = torch.compile(model, dynamic=True) if compiled else model

    def state(self) -> State:
        """All that decides the further course."""
        return {
            "stage": repr(self.stage),
            "shape": repr(self.model.shape),
            "step": self.step,
            "model": self.model.state_dict(),
            "optimizer": self._optimizer.state_dict(),
        }

    def restore(self, state: State) -> None:
        """Go on from a state of the same stage and shape.

        Raises:
            CheckpointError: it is of another run.
        """
        if (state["stage"], state["shape"]) != (repr(self.stage), repr(self.model.shape)):
            raise CheckpointError("The checkpoint is of another recipe; delete it or use the same settings.")
        self.model.load_state_dict(state["model"])
        self._optimizer.load_state_dict(state["optimizer"])
        self.step = state["step"]

    def run(self, checkpoints: Checkpoints, stop: Callable[[], bool], report: Callable[[float, int], None]) -> bool:
        """Train to the last update or until told to stop; the state is saved when due and at the end.

        Args:
            checkpoints: where the state goes.
            stop: asked after every update.
            report: told the loss of each update and how many tokens were read.

        Returns:
            Whether the stage is finished.
        """
        while self.step < self.stage.steps and not stop():
            report(*self.update())
            if checkpoints.due():
                checkpoints.save(self.state())
        checkpoints.save(self.state())
        return self.step >= self.stage.steps

    def update(self) -> tuple[float, int]:
        """One update; returns its loss, that of short questions added by their weight, and the tokens it read."""
        self.model.train()
        for group in self._optimizer.param_groups:
            group["lr"] = group["share"] * self.stage.rate_at(self.step)
        total, tokens, parts = 0.0, 0, self.stage.accumulate
        for n in range(parts):
            number = self.step * parts + n
            own = [(self._mixture.batch(number), 1.0), *self._mixture.short(number)]
            for batch, weight in own:  # the memory of one after the other
                loss = self.loss(batch.to(self.device)) * (weight / parts)
                torch.autograd.backward(loss)
                total, tokens = total + float(loss.detach()), tokens + batch.ids.numel()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self._optimizer.step()
        self._optimizer.zero_grad()
        self.step += 1
        return total, tokens

    def loss(self, batch: Batch) -> Tensor:
        """Weighted mean of -log p (nats) of a batch's weighted tokens; logits are computed for these alone."""
        with mixed(self.device):
            hidden = self._forward(batch.ids, batch.places, batch.mask())  # (b, s, d)
            row, column = torch.nonzero(batch.weights, as_tuple=True)  # (n,)
            logits = self.model.logits(hidden[row, column - 1])  # (n, v)
        weights = batch.weights[row, column]
        losses = F.cross_entropy(logits.float(), batch.ids[row, column], reduction="none")
        return (losses * weights).sum() / weights.sum()

    @torch.no_grad()
    def held_out(self, batches: Iterator[Batch]) -> float:
        """Mean loss (nats) over the first `_HELD_OUT` batches; nan for none."""
        self.model.eval()
        found = [float(self.loss(batch.to(self.device))) for batch in islice(batches, _HELD_OUT)]
        return fmean(found) if found else math.nan


class Log:
    """One JSON line every few updates: what `tail -f` shows of a run."""

    def __init__(self, path: Path, trainer: Trainer, clock: Callable[[], float] = time.monotonic):
        """Append to `path`, which keeps the lines of earlier runs."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path, self._trainer, self._clock = path, trainer, clock
        self._since, self._tokens, self._losses = clock(), 0, list[float]()

    def __call__(self, loss: float, tokens: int) -> None:
        """Take note of an update."""
        self._tokens += tokens
        self._losses.append(loss)
        if self._trainer.step % _REPORT == 0:
            self._write()

    def _write(self) -> None:
        now, stage = self._clock(), self._trainer.stage
        line = {
            "stage": stage.name,
            "step": self._trainer.step,
            "of": stage.steps,
            "loss": round(fmean(self._losses), 4),
            "rate": round(stage.rate_at(self._trainer.step), 7),
            "tokens_per_second": round(self._tokens / max(1e-9, now - self._since)),
        }
        with self._path.open("a") as file:
            file.write(json.dumps(line) + "\n")
        self._since, self._tokens, self._losses = now, 0, []


def _optimizer(model: Decoder, stage: Stage, *, fused: bool) -> torch.optim.AdamW:
    """AdamW with decay for matrices only; the token table learns slowly, and its rows remember rare gradients long."""
    table = model.token_embd.weight
    others = [w for w in model.parameters() if w is not table]
    groups = [
        {"params": [w for w in others if w.ndim > 1], "weight_decay": stage.decay, "share": 1.0},
        {"params": [w for w in others if w.ndim == 1], "weight_decay": 0.0, "share": 1.0},
        {"params": [table], "weight_decay": 0.0, "share": stage.table_rate, "betas": (0.9, 0.999)},
    ]
    return torch.optim.AdamW(groups, lr=stage.rate, betas=(0.9, 0.95), fused=fused)
