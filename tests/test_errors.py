"""Every error code, and that each error is also the standard one it stands for."""

import ast
from pathlib import Path

import pytest

from persona_voice import errors

PACKAGE = Path(errors.__file__).parent
CODES = {
    "bad_command",
    "bad_persona_file",
    "cannot_read",
    "cannot_write",
    "converter_failed",
    "damaged_file",
    "device_failed",
    "empty_file",
    "empty_text",
    "no_device",
    "no_file",
    "no_sample_rate",
    "no_sound_library",
    "no_torch",
    "non_finite",
    "not_audio",
    "out_of_range",
    "part_of_a_sample",
    "rate_out_of_range",
    "source_crashed",
    "source_missing",
    "source_no_sound",
    "source_refused",
    "too_many_channels",
    "unknown_device",
    "unknown_format",
    "unknown_mode",
    "unknown_persona",
    "unknown_source",
    "weights_damaged",
    "weights_format",
    "weights_missing",
    "weights_not_finite",
    "weights_shape",
    "wrong_array",
}


def codes_in_the_source() -> set[str]:
    found = set()
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            named = isinstance(node, ast.keyword) and node.arg == "code"
            if named and isinstance(node.value, ast.Constant):
                found.add(str(node.value.value))
    return found


@pytest.mark.parametrize(
    ("kind", "standard"),
    [
        (errors.SettingError, ValueError),
        (errors.StreamError, RuntimeError),
        (errors.DeviceError, OSError),
        (errors.AudioFileError, OSError),
        (errors.SourceError, RuntimeError),
        (errors.WeightsError, errors.PersonaVoiceError),
        (errors.PersonaFileError, errors.PersonaVoiceError),
    ],
)
def test_each_can_be_caught_as_ours_and_as_the_standard_one(
    kind: type[errors.PersonaVoiceError], standard: type[Exception]
) -> None:
    error = kind("what, the rule, the value", code="some_code", value=3)
    assert isinstance(error, errors.PersonaVoiceError)
    assert isinstance(error, standard)
    assert (error.code, error.fields, str(error)) == (
        "some_code",
        {"value": 3},
        "what, the rule, the value",
    )


def test_every_code_is_listed() -> None:
    """Programs rely on codes: a new one is written down here, an old one does not change."""
    assert codes_in_the_source() == CODES
