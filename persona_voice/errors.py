"""What goes wrong, each with a code that programs may rely on and fields with the numbers."""


class PersonaVoiceError(Exception):
    """Anything this package refuses or fails at."""

    def __init__(self, message: str, *, code: str, **fields: object) -> None:
        super().__init__(message)
        self.code = code
        self.fields = fields


class SettingError(PersonaVoiceError, ValueError):
    """A setting or an argument outside its rule."""


class StreamError(PersonaVoiceError, RuntimeError):
    """A stream used as it cannot be."""


class DeviceError(PersonaVoiceError, OSError):
    """A sound device that is not there or does not do what was asked."""


class WeightsError(PersonaVoiceError):
    """Weights that are missing, damaged or of another network."""


class PersonaFileError(PersonaVoiceError):
    """A persona that is not there, or whose file is not what it should be."""


class ConsentError(PersonaVoiceError):
    """A voice that may not be modelled: the person's consent is missing, or is not borne out."""


class AudioFileError(PersonaVoiceError, OSError):
    """A sound file that cannot be read or written."""


class SourceError(PersonaVoiceError, RuntimeError):
    """What speaks underneath failed."""


class StoreError(PersonaVoiceError, OSError):
    """A store of personas that cannot be reached, or cannot take or give what was asked."""
