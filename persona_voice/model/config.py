"""The shape of the converter's network, known without torch."""

from dataclasses import dataclass, fields
from reprlib import repr as shown

from persona_voice._core import HOP
from persona_voice.converter import BANDS, MODES
from persona_voice.errors import SettingError

# What the core takes, too: `NetShape::check` and `Path::check_lookahead`.
MOST_CHANNELS, MOST_HIDDEN, MOST_INPUT_FRAMES, MOST_LAYERS = 4096, 16_384, 64, 64
# Ten seconds: what is beyond would only cost memory, which every stream has for itself.
MOST_DILATION_FRAMES = 1000
# F0 is known 240 samples late.
LEAST_LOOKAHEAD, MOST_LOOKAHEAD = 240, 48_000


@dataclass(frozen=True)
class NetworkConfig:
    """Shape of the network; stored in the weights file.

    Raises
    ------
    SettingError
        ``bad_network`` for what is no whole number, or beyond what the core takes.
    """

    channels: int = 192
    hidden: int = 480
    input_frames: int = 5
    dilations: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64, 1, 2, 4)
    # Samples at 24 kHz from the moment an envelope stands for to the end of the newest frame.
    live_lookahead: int = 960
    studio_lookahead: int = 1920

    def __post_init__(self) -> None:
        _check("channels", self.channels, 1, MOST_CHANNELS)
        _check("hidden", self.hidden, 1, MOST_HIDDEN)
        _check("input_frames", self.input_frames, 1, MOST_INPUT_FRAMES)
        if not isinstance(self.dilations, tuple):
            message = (
                f"dilations must be a list, a number for each layer, got {shown(self.dilations)}"
            )
            raise SettingError(message, code="bad_network", value=self.dilations)
        _check("the number of layers", len(self.dilations), 1, MOST_LAYERS)
        for dilation in self.dilations:
            _check("a dilation in frames", dilation, 1, MOST_DILATION_FRAMES)
        for mode in MODES:
            what, lookahead = f"{mode}_lookahead in samples", self.lookahead(mode)
            _check(what, lookahead, LEAST_LOOKAHEAD, MOST_LOOKAHEAD)
            if lookahead % HOP:
                message = f"{what} must be whole hops of {HOP}, got {lookahead}"
                raise SettingError(message, code="bad_network", value=lookahead)

    @classmethod
    def of_json(cls, values: object) -> "NetworkConfig":
        """From what JSON made of one: every field, and no other.

        Raises
        ------
        SettingError
            ``bad_network``.
        """
        names = [each.name for each in fields(cls)]
        if not isinstance(values, dict) or values.keys() != set(names):
            got = list(values) if isinstance(values, dict) else values
            message = f"it must hold exactly {', '.join(names)}, got {shown(got)}"
            raise SettingError(message, code="bad_network", value=got)
        dilations = values["dilations"]
        given = tuple(dilations) if isinstance(dilations, list) else dilations
        return cls(**values | {"dilations": given})

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


def _check(what: str, value: object, least: int, most: int) -> None:
    if type(value) is not int or not least <= value <= most:  # True is an int, and no number here
        message = f"{what} must be a whole number in {least}..={most}, got {shown(value)}"
        raise SettingError(message, code="bad_network", value=value)
