"""Trains the voice activity detector, from nothing to `rust_core/src/vad/network.weights`.

    python -m training.vad --cache DIR [--count 5400] [--steps 1800] [--workers 3] [--out FILE]

Needs what `training.speech` and, if there, `training.speakers` left in ``DIR``. Scenes (`training.vad_scenes`)
lie in ``DIR/vad/NNNNN.npz``, fifty in each; scene ``i`` follows from the seed. Stopped at any moment and
started again, it goes on where it was; the weights are those of the moving average of the last steps. Each of the
workers, processes of one thread, takes crops of its own; a step is the mean of them.
"""

import argparse
import copy
import math
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from training.shard import shard
from training.vad_network import BANDS, FLOOR, SPREAD, WEIGHTS, VadNetwork, frames, save
from training.vad_scenes import LOUD, SPEECH, UNSURE, Sounds, scene
from training.whole import whole

SEED = 20261129
EACH, BATCH, CROP = 50, 48, 320
RATE_HIGH, WARM_STEPS, AVERAGE = 5e-3, 40, 0.98
# Share of a step's error that a closure, which only the past tells from silence, counts: with all of it
# the end of speech would be believed only after 100 ms.
CLOSURE_WEIGHT = 0.35
# Of a conversation's time a microphone hears speech for so much, of the scenes' for more: to those who believe a
# probability, that is a difference (Saerens et al. 2002).
SPOKEN_SHARE = 0.4
# Frames so shortly after speech began count more: they are few, and what is waited for.
BEGIN_HOPS, BEGIN_WEIGHT = 8, 2.0
JUDGED_SCENES, JUDGE_EVERY = 150, 60
PORT = 29_517


def make(cache: Path, count: int, every: slice) -> None:
    folder = cache / "vad"
    folder.mkdir(parents=True, exist_ok=True)
    wanted = [folder / f"{n:05d}.npz" for n in range(count // EACH)][every]
    missing = [file for file in wanted if not file.exists()]
    sounds = Sounds.of(cache) if missing else None
    for file in missing:
        heard, labels = [], []
        for k in range(EACH):
            rng = np.random.default_rng([SEED, int(file.stem), k])
            assert sounds is not None
            sound, its_labels = scene(rng, sounds)
            heard.append(frames(sound).astype(np.float16))
            labels.append(its_labels)
        with whole(file) as out:
            np.savez(out, heard=np.stack(heard), labels=np.stack(labels))
        print(f"scenes {file.stem}", flush=True)


def scenes(cache: Path, count: int) -> tuple[Tensor, Tensor]:
    """Frames ``[N, T, 36]``, half precision, and labels ``[N, T, KINDS]``."""
    heard, labels = [], []
    for n in range(count // EACH):
        with np.load(cache / "vad" / f"{n:05d}.npz") as arrays:
            heard.append(torch.from_numpy(arrays["heard"]))
            labels.append(torch.from_numpy(arrays["labels"]))
    return torch.cat(heard), torch.cat(labels)


def weighed(labels: Tensor) -> tuple[Tensor, Tensor]:
    """What is to be answered, and how much each frame counts: ``[N, T]`` both."""
    loud, speech = labels[..., LOUD], labels[..., SPEECH]
    weight = torch.where(speech & ~loud, CLOSURE_WEIGHT, 1.0)
    weight = weight.masked_fill(labels[..., UNSURE], 0.0)
    before = torch.nn.functional.pad(speech, (BEGIN_HOPS, 0))[:, : speech.shape[1]]
    return speech.float(), torch.where(speech & ~before, BEGIN_WEIGHT * weight, weight)


def batch(rng: np.random.Generator, heard: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Crops at another level, some without what is above a line's or a recording's end."""
    which = torch.from_numpy(rng.integers(len(heard), size=BATCH))
    start = int(rng.integers(heard.shape[1] - CROP + 1)) if rng.random() < 0.8 else 0
    crop = heard[which, start : start + CROP].float()
    crop += torch.from_numpy(rng.uniform(-4.6, 4.6, (BATCH, 1, 1)).astype(np.float32)) / SPREAD
    silent = (float(np.log(FLOOR)) + 12.0) / SPREAD
    crop.clamp_(min=silent)
    top = np.where(rng.random(BATCH) < 0.15, rng.integers(26, BANDS, BATCH), BANDS)
    crop[(torch.arange(BANDS) >= torch.from_numpy(top)[:, None])[:, None].expand_as(crop)] = silent
    return crop, labels[which, start : start + CROP]


def area(score: np.ndarray, truth: np.ndarray) -> float:
    """Under the receiver's curve: how often speech scores above what is not."""
    order = np.argsort(score, kind="stable")
    ranks = np.empty(len(score))
    ranks[order] = np.arange(1, len(score) + 1)
    positives = int(truth.sum())
    return float(
        (ranks[truth].sum() - positives * (positives + 1) / 2)
        / (positives * (len(truth) - positives))
    )


def judge(network: VadNetwork, heard: Tensor, labels: Tensor) -> str:
    with torch.no_grad():
        score = network(heard.float())
    sure = ~labels[..., UNSURE]
    score, labels = score[sure], labels[sure]
    speech = labels[:, SPEECH]
    loss = torch.nn.functional.binary_cross_entropy_with_logits(score, speech.float())
    miss = float((score[labels[:, LOUD]] < 0).float().mean())
    false = float((score[~speech] > 0).float().mean())
    return f"loss {loss:.4f} auc {area(score.numpy(), speech.numpy()):.4f} miss {miss:.3f} false {false:.3f}"


def learning_rate(done: float, step: int) -> float:
    """``done`` of all steps, 0 to 1: rises at first, then half a cosine."""
    return RATE_HIGH * min(step / WARM_STEPS, 0.5 + 0.5 * float(np.cos(np.pi * done)) + 0.005)


def train(rank: int, options: argparse.Namespace) -> None:
    """One worker of several; the first judges, keeps what there is, and writes the weights."""
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    address = f"tcp://127.0.0.1:{PORT}"
    torch.distributed.init_process_group(
        "gloo", init_method=address, rank=rank, world_size=options.workers
    )
    heard, labels = scenes(options.cache, options.count)
    judged, judged_labels = heard[:JUDGED_SCENES], labels[:JUDGED_SCENES]
    heard, labels = heard[JUDGED_SCENES:], labels[JUDGED_SCENES:]
    network, average = VadNetwork(), VadNetwork().eval()
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=0.01)
    average.load_state_dict(network.state_dict())
    file = options.cache / f"vad_{options.run}.pt"
    first = resumed(file, network, average, optimizer) if file.exists() else 0
    started = time.monotonic()
    for step in range(first, options.steps):
        rng = np.random.default_rng([SEED, 1, step, rank])
        loss = stepped(network, optimizer, *batch(rng, heard, labels), step / options.steps, step)
        with torch.no_grad():
            keep = min(AVERAGE, step / (step + 10))
            for mean, now in zip(average.parameters(), network.parameters(), strict=True):
                mean.lerp_(now, 1 - keep)
        if rank == 0 and ((step + 1) % JUDGE_EVERY == 0 or step + 1 == options.steps):
            pace = (time.monotonic() - started) / (step + 1 - first)
            said = judge(average, judged, judged_labels)
            print(f"step {step + 1}: trained {loss:.4f}, {said}, {pace:.2f} s a step", flush=True)
            state = {"network": network.state_dict(), "average": average.state_dict()}
            with whole(file) as out:
                torch.save(state | {"optimizer": optimizer.state_dict(), "step": step + 1}, out)
            save(for_conversations(average, labels), options.out)
    torch.distributed.destroy_process_group()


def for_conversations(network: VadNetwork, labels: Tensor) -> VadNetwork:
    """The same with the probabilities that it would have learnt where speech is as rare as in a conversation."""
    spoken = float(labels[..., SPEECH][~labels[..., UNSURE]].float().mean())
    moved = copy.deepcopy(network)
    with torch.no_grad():
        moved.head.bias += math.log(SPOKEN_SHARE / (1 - SPOKEN_SHARE) * (1 - spoken) / spoken)
    return moved


def resumed(
    file: Path, network: VadNetwork, average: VadNetwork, optimizer: torch.optim.Optimizer
) -> int:
    kept = torch.load(file, weights_only=True)
    network.load_state_dict(kept["network"])
    average.load_state_dict(kept["average"])
    optimizer.load_state_dict(kept["optimizer"])
    return int(kept["step"])


def stepped(
    network: VadNetwork,
    optimizer: torch.optim.Optimizer,
    crop: Tensor,
    labels: Tensor,
    done: float,
    step: int,
) -> float:
    """One step of all workers; the loss of this one."""
    wanted, weight = weighed(labels)
    for group in optimizer.param_groups:
        group["lr"] = learning_rate(done, step)
    loss = torch.nn.functional.binary_cross_entropy_with_logits(network(crop), wanted, weight)
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    flat = torch.cat([of.grad.ravel() for of in network.parameters() if of.grad is not None])
    torch.distributed.all_reduce(flat)
    flat /= torch.distributed.get_world_size()
    flat *= min(1.0, 1.0 / float(flat.norm()))
    at = 0
    for of in network.parameters():
        of.grad = flat[at : at + of.numel()].view_as(of)
        at += of.numel()
    optimizer.step()
    return float(loss.detach())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--count", type=int, default=5400, help="scenes of 8 s")
    parser.add_argument("--steps", type=int, default=1800)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--run", default="first")
    parser.add_argument("--shard", type=shard, help="K/N: makes every N-th scene, and no more")
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    options = parser.parse_args()
    make(options.cache, options.count, options.shard or slice(None))
    if options.shard is None:
        torch.multiprocessing.spawn(train, (options,), options.workers)
        print(f"weights: {options.out}")


if __name__ == "__main__":
    main()
