"""Many streams stepped together with their middle in torch: for GPUs. The ends stay in the core."""

import torch
from torch import Tensor

from persona_voice import _core
from persona_voice.converter import Frames
from persona_voice.errors import SettingError
from persona_voice.model.torch_converter import TorchConverter
from persona_voice.model.torch_voices import HEARD, Voices


class TorchBatch:
    """What `persona_voice._core.Batch` is, within 1e-4 of full scale as long as torch multiplies
    float32 as such, which it does unless told otherwise.

    To the device go 87 numbers a hop and slot, from it 240 samples and whether the network failed.

    Raises
    ------
    SettingError
        ``unknown_torch_device``, ``out_of_range``.
    """

    def __init__(
        self, converter: TorchConverter, sample_rate: int, slots: int, seed: int, device: str
    ) -> None:
        self._ends = _core.Ends(sample_rate=sample_rate, slots=slots)
        self._device = device_named(device)
        self.voices = Voices(converter.network, converter.mode, slots, seed, self._device)
        self._recorded = Recorded(self.voices, slots) if self._device.type == "cuda" else None

    def join(self, path: _core.Path) -> int:
        slot = self._ends.join(path)
        self.voices.clear(slot)
        return slot

    def leave(self, slot: int) -> None:
        self._ends.leave(slot)

    def process(self, blocks: Frames) -> Frames:
        return self._ends.process(blocks, self._made)

    def set_manner(self, slot: int, manner: "_core.Manner") -> None:
        self._ends.set_manner(slot, manner)

    def express(self, slot: int, mood: "_core.Manner", half_life_hops: float) -> None:
        self._ends.express(slot, mood, half_life_hops)

    def status(self, slot: int) -> "_core.Status":
        return self._ends.status(slot)

    def _made(self, heard: Frames) -> Frames:
        step = self._recorded or self.voices.step
        with torch.inference_mode():
            made: Frames = step(torch.from_numpy(heard).to(self._device)).cpu().numpy()
        return made


class Recorded:
    """A step on a GPU as one graph, launched at once: 380 kernels, most of them short.

    It is recorded without a hop in any slot, so that nothing changes meanwhile.
    """

    def __init__(self, voices: Voices, slots: int) -> None:
        device = voices.rings.device
        self._heard = torch.zeros(slots, HEARD, device=device)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.device(device), torch.inference_mode():
            # Plans of transforms and room for products are made at first calls, not while recording.
            aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]  # torch's own gap
            aside.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(aside):
                for _ in range(3):
                    voices.step(self._heard)
            torch.cuda.current_stream().wait_stream(aside)
            with torch.cuda.graph(self._graph):
                self._made = voices.step(self._heard)

    def __call__(self, heard: Tensor) -> Tensor:
        """As `Voices.step`; what comes back is overwritten by the next call."""
        self._heard.copy_(heard)
        with torch.cuda.device(self._heard.device):
            self._graph.replay()
        return self._made


def device_named(name: str) -> torch.device:
    """A device of torch that is here, gives numbers back and reckons in float64, as phases need.

    Raises
    ------
    SettingError
        ``unknown_torch_device``.
    """
    try:
        device = torch.device(name)
        torch.zeros(1, dtype=torch.float64, device=device).cpu()
    except (RuntimeError, AssertionError, TypeError) as error:
        reason = str(error).splitlines()[0]
        message = f"device must be one that torch has here, as cpu or cuda, got {name!r}: {reason}"
        raise SettingError(message, code="unknown_torch_device") from error
    return device
