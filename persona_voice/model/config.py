"""The shape of the converter's network, known without torch."""

from dataclasses import dataclass

from persona_voice._core import HOP
from persona_voice.converter import BANDS, MODES


@dataclass(frozen=True)
class NetworkConfig:
    """Shape of the network; stored in the weights file."""

    channels: int = 192
    hidden: int = 480
    input_frames: int = 5
    dilations: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64, 1, 2, 4)
    # Samples at 24 kHz from the moment an envelope stands for to the end of the newest frame.
    live_lookahead: int = 960
    studio_lookahead: int = 1920

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Every tensor of the weights file, by name."""
        width, hidden = self.channels, self.hidden
        linear = {"enter": (width, self.input_frames * BANDS)}
        norms = ["norm"]
        for n in range(len(self.dilations)):
            linear |= {f"layers.{n}.up": (hidden, 2 * width), f"layers.{n}.down": (width, hidden)}
            norms.append(f"layers.{n}.norm")
        linear |= {f"heads.{mode}": (2 * BANDS, width) for mode in MODES}
        shapes: dict[str, tuple[int, ...]] = {f"{name}.weight": (width,) for name in norms}
        for name, (outs, ins) in linear.items():
            shapes |= {f"{name}.weight": (outs, ins), f"{name}.bias": (outs,)}
        return shapes

    def late(self, mode: str) -> int:
        """Frames by which a head's moment is earlier than a frame of the same index."""
        return self.lookahead(mode) // HOP - 1

    def lookahead(self, mode: str) -> int:
        """Samples at 24 kHz that a head hears beyond the moment it answers for."""
        return self.live_lookahead if mode == "live" else self.studio_lookahead

    @property
    def input_past(self) -> int:
        """Input frames that a stream keeps."""
        return max(self.input_frames - 1, self.late("live"), self.late("studio"))
