"""Many streams stepped together with their middle in torch: for GPUs. The ends stay in the core."""

import torch

from persona_voice import _core
from persona_voice.converter import Frames
from persona_voice.errors import SettingError
from persona_voice.model.torch_converter import TorchConverter
from persona_voice.model.torch_voices import Voices


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
        with torch.inference_mode():
            made: Frames = self.voices.step(torch.from_numpy(heard).to(self._device)).cpu().numpy()
        return made


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
