"""The parts of the torch batch against the core's, slot by slot; and that no step asks the device."""

from typing import Any

import numpy as np
import pytest
import torch
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils._python_dispatch import TorchDispatchMode

from persona_voice import _core
from persona_voice.build import weights_folder
from persona_voice.converter import MODES
from persona_voice.model.torch_articulation import Articulation
from persona_voice.model.torch_converter import network_of
from persona_voice.model.torch_vocoder import MAX_F0_HZ, Vocoder
from persona_voice.model.torch_voices import Voices, tensors_of
from persona_voice.model.weights import read_weights
from persona_voice.persona.persona import load_persona

SLOTS, HOPS = 3, 150
TOLERANCE = 1e-4


def envelopes(seed: int) -> np.ndarray:
    """Smooth over bands and time, some hops silent: ``[HOPS, SLOTS, 160]``."""
    rng = np.random.default_rng(seed)
    steps = rng.standard_normal((HOPS, SLOTS, 160)).cumsum(2) / 4
    levels = -6 + 3 * np.sin(np.arange(HOPS) / 20)[:, None, None]
    values = steps - steps.mean(2, keepdims=True) + levels
    values[40:60] = -16.0
    return values.clip(-16, 4).astype(np.float32)


def test_articulation_learns_of_each_speaker_what_the_core_does() -> None:
    own, answers = envelopes(1)[:, :, :80], envelopes(2)
    own[100, 0, 5] = np.nan
    part = Articulation()
    known = part.start(SLOTS)
    got = []
    for hop in range(HOPS):
        answer = torch.from_numpy(answers[hop]).view(SLOTS, 2, 80)
        known, out = part(known, torch.from_numpy(own[hop]), answer)
        got.append(out.flatten(1).numpy())
    for slot in range(SLOTS):
        alone = _core.Articulation().process(
            np.ascontiguousarray(own[:, slot]), np.ascontiguousarray(answers[:, slot])
        )
        assert np.abs(np.stack(got)[:, slot] - alone).max() < TOLERANCE
        assert np.abs(answers[:, slot] - alone).max() > 0.1


def said(vocoder: Vocoder, f0_hz: np.ndarray, values: np.ndarray) -> np.ndarray:
    state, sound = vocoder.start(SLOTS), []
    for f0, hop in zip(f0_hz, values, strict=True):
        state, out = vocoder(state, torch.from_numpy(f0), torch.from_numpy(hop).view(SLOTS, 2, 80))
        sound.append(out.numpy())
    return np.concatenate(sound, axis=1)


def test_the_vocoder_sounds_as_the_cores_at_every_f0_and_seed() -> None:
    for seed in (0, 1, 2**64 - 1):
        f0_hz = np.random.default_rng(seed).uniform(55, MAX_F0_HZ, (HOPS, SLOTS)).astype(np.float32)
        f0_hz[20:30, 1], f0_hz[50:60] = 0.0, MAX_F0_HZ
        values = envelopes(3)
        got = said(Vocoder(seed), f0_hz, values)
        for slot in range(SLOTS):
            frames = np.hstack([f0_hz[:, slot, None], values[:, slot]])
            alone = _core.Vocoder(seed).process(np.ascontiguousarray(frames))
            assert np.abs(alone).max() > 0.3
            assert np.abs(got[slot] - alone).max() < TOLERANCE * np.abs(alone).max()
            # The mutant: a pulse a sample late.
            assert np.abs(got[slot][1:] - alone[:-1]).max() > 0.1


def voices(device: str, mode: str = "live") -> Voices:
    file = weights_folder() / load_persona("samantha").weights
    return Voices(network_of(read_weights(file)), mode, SLOTS, 1, torch.device(device))


class OnDevice(TorchDispatchMode):
    """Refuses whatever makes a tensor elsewhere."""

    def __init__(self, device: str) -> None:
        super().__init__()
        self.device = device

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        for tensor in made if isinstance(made, (tuple, list)) else (made,):
            if isinstance(tensor, torch.Tensor) and tensor.device.type != self.device:
                raise RuntimeError(f"{func} made a tensor on {tensor.device}")
        return made


def test_no_step_asks_the_device_for_anything_and_all_is_made_there() -> None:
    # Tensors of this device have a shape and no numbers: whoever looks at one fails.
    for mode in MODES:
        there = voices("meta", mode)
        before = [tensor.shape for tensor in tensors_of(there.slots)]
        heard = torch.zeros(SLOTS, 87, device="meta")
        with OnDevice("meta"):
            made = there.step(heard)
            there.clear(1)
        assert made.shape == (SLOTS, 241)
        assert [tensor.shape for tensor in tensors_of(there.slots)] == before
    with OnDevice("meta"), pytest.raises(RuntimeError, match="made a tensor on cpu"):
        torch.zeros(1)


def heard_at(hop: int) -> torch.Tensor:
    """Of some slots there is a hop; F0 and log-mel move."""
    heard = torch.rand(SLOTS, 87, generator=torch.Generator().manual_seed(hop)) * 4 - 8
    heard[:, :7] = torch.tensor([1.0, 0.0, 150.0 + hop, 1.0, 2.0, -1.0, 0.02])
    heard[hop % SLOTS, 0] = hop % 2
    return heard


def test_a_step_recorded_once_and_replayed_goes_on_as_if_it_were_called() -> None:
    # What a graph of kernels needs: the same work at every step, whatever the numbers.
    called, recorded = voices("cpu"), voices("cpu")
    with torch.no_grad():
        # Without a hop nothing changes, while it is recorded.
        replay = make_fx(lambda heard: recorded.step(heard))(torch.zeros(SLOTS, 87))
        for hop in range(40):
            heard = heard_at(hop)
            said = called.step(heard)
            assert torch.equal(replay(heard), said)
    assert said.abs().max() > 0.003
    for one, other in zip(tensors_of(called.slots), tensors_of(recorded.slots), strict=True):
        assert torch.equal(one, other)


def test_a_slot_without_a_hop_gives_zeros_and_keeps_its_state() -> None:
    there = voices("cpu")
    heard = torch.rand(SLOTS, 87, generator=torch.Generator().manual_seed(2)) - 6
    heard[:, :7] = torch.tensor([1.0, 0.0, 150.0, 0.0, 0.0, 0.0, 0.0])
    for _ in range(3):  # of the first two there is nothing to be learnt
        there.step(heard)
    heard[:, 2] = 160.0
    kept = [tensor.clone() for tensor in (*tensors_of(there.slots), there.rings)]
    heard[1] = 0
    made = there.step(heard)
    assert not made[1].any()
    assert made[0].any()
    assert made[2].any()
    after = [*tensors_of(there.slots), there.rings]
    for before, now in zip(kept, after, strict=True):
        assert torch.equal(before[1], now[1])
    still = [n for n, (a, b) in enumerate(zip(kept, after, strict=True)) if torch.equal(a[0], b[0])]
    assert set(still) <= {2, 10}  # whether it failed, and the tract that is likeliest


def test_who_failed_once_stays_silent() -> None:
    there = voices("cpu")
    there.slots.failed[0] = True
    heard = torch.full((SLOTS, 87), -5.0)
    heard[:, :7] = torch.tensor([1.0, 0.0, 150.0, 0.0, 0.0, 0.0, 0.0])
    for _ in range(5):
        made = there.step(heard)
    assert made[:, 0].tolist() == [1, 0, 0]
    assert made[0, 1:].abs().max() < 1e-5
    assert made[1, 1:].abs().max() > 0.01
