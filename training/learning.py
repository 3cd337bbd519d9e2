"""The learning of the networks that only help to train: minutes, not hours."""

import argparse
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from training.whole import whole

WARM_UP, LAST_RATE, WEIGHT_DECAY = 100, 0.02, 0.02
EVERY = 100  # steps from one checkpoint to the next
UNSEEN_BATCHES = 6


class Loss(Protocol):
    """The mean loss of a batch, of what is learnt from or of what is never seen."""

    def __call__(self, rng: np.random.Generator, *, held_out: bool) -> Tensor: ...


def device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def cosine(done: float, last: float) -> float:
    """Half a cosine from 1 down to ``last``, as ``done`` goes from 0 to 1."""
    return last + (1 - last) * 0.5 * (1 + math.cos(math.pi * done))


def arguments(about: str | None, steps: int) -> argparse.ArgumentParser:
    """What every program that learns may be told."""
    parser = argparse.ArgumentParser(
        description=about, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=steps)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--threads", type=int, default=1)
    return parser


def learn(
    network: nn.Module,
    prepare: Callable[[], Loss],
    file: Path,
    steps: int,
    rate: float,
    seed: int,
) -> None:
    """Until ``file`` holds what `network` has learnt; then it is ready to answer.

    What is learnt from is only prepared if there is anything left to learn. Goes on from the last
    checkpoint, ``file`` with ``.part`` behind it. A batch, and what dropout takes from it, follows
    from the seed and the step.
    """
    if file.exists():
        network.load_state_dict(torch.load(file, map_location=device()))
        network.eval()
        return
    loss = prepare()
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(file.name + ".part")
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=WEIGHT_DECAY)
    first = 0
    if part.exists():
        saved = torch.load(part, map_location=device())
        network.load_state_dict(saved["network"])
        optimizer.load_state_dict(saved["optimizer"])
        first = saved["step"]
    started = time.monotonic()
    heard: list[float] = []
    for step in range(first + 1, steps + 1):
        for group in optimizer.param_groups:
            group["lr"] = rate * min(step / WARM_UP, 1.0) * cosine(step / steps, LAST_RATE)
        torch.manual_seed(seed + step)
        off = loss(np.random.default_rng([seed, step]), held_out=False)
        optimizer.zero_grad(set_to_none=True)
        off.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        heard.append(float(off.detach()))
        if step % EVERY == 0 or step == steps:
            pace = (step - first) / (time.monotonic() - started)
            print(
                f"{file.stem} {step}/{steps}: {np.mean(heard):.4f}, "
                f"what it never saw {unseen(network, loss):.4f}; {pace:.2f}/s",
                flush=True,
            )
            heard.clear()
            state = {"network": network.state_dict(), "optimizer": optimizer.state_dict()}
            with whole(part) as out:
                torch.save(state | {"step": step}, out)
    with whole(file) as out:
        torch.save(network.state_dict(), out)
    part.unlink(missing_ok=True)
    network.eval()


@torch.no_grad()
def unseen(network: nn.Module, loss: Loss) -> float:
    network.eval()
    rng = np.random.default_rng(0)
    mean = float(np.mean([float(loss(rng, held_out=True)) for _ in range(UNSEEN_BATCHES)]))
    network.train()
    return mean
