"""Every error code with its full text, and the standard error that each of ours also is."""

import ast
import re
from pathlib import Path

import numpy as np
import pytest

from persona_voice import _core, errors

PACKAGE = Path(errors.__file__).parent
CORE = PACKAGE.parent / "rust_core" / "src" / "error.rs"
# Programs rely on codes: a new one is written down here, an old one does not change.
TEXTS = {
    "bad_ages": (
        "ages must be whole numbers of days or today, with commas between, got {}",
        "ages must lie in 0..={} days, which is hers today, got {}",
    ),
    "bad_picture": ("a picture's name must end in .png, got {}",),
    "bad_date": ("a day of hers must be birth, today or a date from {} to {}, got {}",),
    "bad_network": (
        "dilations must be a list, a number for each layer, got {}",
        "it must hold exactly {}, got {}",
        "{} must be a whole number in {}..={}, got {}",
        "{} must be whole hops of {}, got {}",
    ),
    "bad_name": ("a name must be 1 to {} letters, digits, spaces and {}, a letter first, got {}",),
    "bad_return": ("the day returned to must be before today, {}, got {}",),
    "file_exists": (
        "{} must not be there yet, so that nobody kept is lost; name another with --out",
        "{} must hold none but {}, who would replace it; it holds {}",
    ),
    "needs_raw": (
        "--rate and --format must come with raw samples: - as IN, or for --format as OUT",
    ),
    "same_file": ("OUT must be another file than IN, which it would replace, got {} for both",),
    "name_taken": (
        '"{}" must be as she comes with this installation: give who is designed another name, or none',
        '"{}" must be nobody\'s name yet; there is {}',
    ),
    "needs_candidates": (
        "--out and --pick must come with --candidates, the number of voices near hers",
    ),
    "needs_seed": ("--pick must come with the --seed that was told with the candidates",),
    "needs_yes": ("{} would be erased: where nobody can be asked, --yes must say so",),
    "no_matplotlib": ("a picture needs matplotlib: pip install 'persona-voice-engine[demo]'",),
    "unknown_words": (
        "words for a voice must hold at least one of {}, or an age from 12 to 99, got {}",
    ),
    "bad_consent": (
        "a consent's {} must be {}, got {}",
        "a consent's {} must be text on one line, got {}",
        "a consent's date must not be still to come, got {}",
        "a consent's phrase must be {} words or more and hold the name {}, got {}",
        "{} must be a readable TOML file: {}",
        "{} must hold exactly {}; missing or unknown: {}",
    ),
    "no_consent": (
        "a voice is modelled on a person only with their consent: --{} is missing",
        "a voice is modelled on a person only with their consent: no such file, {}",
    ),
    "no_recordings": ("{} must hold sound files, and holds none",),
    "phrase_not_said": (
        "{} must say the consent's phrase, word for word and nothing else: {}; its distance from that must be less than {} of that from others like it, got {}",
    ),
    "another_speaker": (
        "{} must be spoken by who is recorded: its similarity to the recordings must be at least {}, got {}",
    ),
    "another_persona": ('event {} must be of persona "{}", got "{}"',),
    "already_born": (
        '"{}" can be born once, and lives in {} already',
        '"{}" must be born once; she was by the event {}, got {}: these are two personas of one name, and nothing was added; keep the other in a store of her own',
    ),
    "bad_command": (
        "command asks for a voice and none is given: {}",
        "command must be words as in a shell, got {} ({})",
        "command must name a program, got nothing",
    ),
    "bad_event": (
        "event {} ({}) must hold exactly, in this order: {}; got {}",
        "event {} ({}): {} must be {}, got {}",
        "event {} must be of a kind among {}, got {}",
        "event {} must be one event, got two that differ",
        "event {}: at_s must lie within {} s of 1970, got {}",
        "event {}: her seed must be {}, got {}",
        "event {}: the day returned to must lie in {}..{}, got {}",
        "event {} {} {}",
    ),
    "bad_key": (
        "{} must hold an Ed25519 key in PEM without a password: {}; put it back from a backup, or move it away to sign as somebody new",
    ),
    "bad_persona_file": (
        "{} must be a readable TOML file: {}",
        "{} must hold exactly {}; missing or unknown: {}",
        "{}: delivery must be a table of numbers among {}, got {}",
        "{}: {} must be a {}, got {}",
    ),
    "cannot_read": (
        "{} cannot be read: Permission denied",
        "{} cannot be read: {}",
    ),
    "cannot_write": (
        "{} cannot be written: {}",
        "{} must be a folder that can be written: {}",
    ),
    "changing_over": (
        "a stream must have gone over to one converter before it goes over to the next",
    ),
    "converter_failed": (
        "the converter must give finite envelopes, and failed within the first {} s",
    ),
    "damaged_file": ("{} must be readable to its end: {}",),
    "device_failed": (
        "the sound device loopback has stopped",
        "the sound device {} cannot be used at {} Hz: {}",
        "the sound device {} has stopped",
    ),
    "empty_file": (
        "standard input must hold at least one sample, got none",
        "{} must hold at least one sample, got none",
    ),
    "empty_text": ("the text must hold a word to say, got {}",),
    "needs_older_state": (
        "day {} needs a state of that day or before to start from, got one of {}",
        "{} needs a state of day {} or before to start from, got one of {}",
    ),
    "not_born": (
        '"{}" was born on day {}, got day {}, which is before',
        '"{}" must have been born by today, and was {}',
    ),
    "no_birth": ("a ledger must hold exactly one event of kind born, got {}",),
    "event_conflict": (
        "an id must stand for one event for ever; {} stands for {}, got {}: nothing was added, give it an id of its own",
    ),
    "no_device": ("there is no sound device for {} on this machine",),
    "no_driver": ("PostgreSQL needs psycopg: pip install 'persona-voice-engine[postgres]'",),
    "no_file": ("no file {}",),
    "no_sample_rate": ("samples must come with their sample_rate in Hz",),
    "no_sound_library": (
        "no sound library could be loaded ({}); on Debian: apt install libportaudio2",
    ),
    "no_torch": ("{} needs the extra torch, which does not load here: {}",),
    "non_finite": (
        "samples must be finite, got NaN or infinity",
        "{} must hold finite samples only, got NaN or infinity at {} s",
    ),
    "not_audio": (
        "{} must be a sound file that libsndfile reads: {}",
        "{} must be a sound file, got a folder",
    ),
    "not_finite": ("samples must be finite, got NaN or infinity",),
    "out_of_range": (
        "--block-ms must lie in 1..=60000 ms, got {}",
        "--candidates must lie in 1..=100, got {}",
        "--pick must lie in 1..={}, got {}",
        "half_life_s must lie in 0.1..=1000000 s, got {}",
        "{} must lie in {}..=1, got {}",
        "a leaning must be kept for more than 0 s, got {}",
        "a turn's seconds must be 0 or more, got {}",
        "a turn's {} must be finite, got {}",
        "a voice's {} must lie in {}..={}, got {}",
    ),
    "other_lookahead": (
        "a stream must go over to a converter that looks ahead {} samples, as its first one did, or whole hops of {} less, got {}: its latency is fixed",
    ),
    "part_of_a_sample": ("raw input must be whole samples of {} bytes, got {} bytes more",),
    "persona_file_format": (
        '{} must be a persona file of the format "{}", got {}',
        "{} must hold events that this program knows, got {}",
    ),
    "persona_file_tampered": (
        "{} must be as its signer left it: {}; nothing was taken in, get it from them again",
    ),
    "rate_out_of_range": ("{}: the sample rate must lie in {}..={} Hz, got {}",),
    "source_crashed": (
        "Kokoro failed on {} phonemes: {}",
        "espeak-ng's process ended unasked: {}",
        "{} must end with 0, got {}: {}",
    ),
    "source_missing": (
        "Kokoro needs onnxruntime: pip install 'persona-voice-engine[kokoro]'",
        "Kokoro needs {} in {}; python -m training.models puts all of it there",
        "the program {} must be there and run: {}",
        "{} must be a model that onnxruntime reads: {}",
    ),
    "source_no_sound": (
        "the sound of the command cannot be read: {}",
        "{} gave no sound",
        "{} gave no sound for {}",
        "{} must give a WAV, or raw samples of 16 bits, got {}",
        "{} wrote no file {out}",
    ),
    "source_refused": (
        "Kokoro has no voice {}; there are: {}",
        "{}",
    ),
    "store_busy": (
        "{} must let a writer in within {} s, got: {}; another program is writing: do it again, nothing of this was added",
    ),
    "store_damaged": (
        "{} must be a whole store, and is damaged: {}; it is left as it is. Copy it, then put a backup back, or try `sqlite3 FILE .recover` on the copy",
    ),
    "store_failed": ("{} failed: {}",),
    "store_full": (
        "{} must have room to grow, got: {}; nothing of this was added and all else is as it was: make room and do it again",
    ),
    "store_missing": ("no store at {}; it is made when a persona's first event is kept",),
    "store_newer": (
        '{} holds an event of the kind "{}", which this program does not know: a newer one wrote it; install that',
        "{} must have a schema that this program knows, up to {}, got {}: a newer program wrote it; install that",
    ),
    "store_unreachable": ("{} must be a store that can be opened and written: {}",),
    "too_little_speech": (
        "a sound must hold at least {} s of speech, got {} s",
        "recordings must hold at least {} s of speech, got {} s",
    ),
    "too_many_channels": ("{} must have at most {} channels, got {}",),
    "unknown_device": ("{} {} device {}; {}: {}",),
    "unknown_engine": ("engine must be one of {}, got {}",),
    "unknown_format": ("{} must end in a format that is written ({}), got {}",),
    "unknown_listener": (
        "a leaning must be towards a listener who is known by a name, got none",
        "{} must know the listener who is to be forgotten, got {}",
    ),
    "unknown_mode": ("mode must be one of {}, got {}",),
    "unknown_mood": ("mood must be one of {}, got {}",),
    "unknown_persona": (
        'no persona "{}" in this installation; there are: {}',
        'no persona "{}" in {}; there are: {}',
        'no persona "{}" in this installation or in the store; there are: {}',
    ),
    "unknown_torch_device": (
        "device must be cpu for the engine native, got {}",
        "device must be one that torch has here, as cpu or cuda, got {}: {}",
    ),
    "unknown_signer": ("{} must be signed by {}, got {}",),
    "unknown_source": ("source must be one of {}, got {}",),
    "unknown_store": (
        "a store must be a path, sqlite:///PATH or postgresql://USER@HOST/NAME, got {}",
    ),
    "weights_damaged": ("{} must be a whole safetensors file: {}",),
    "weights_format": ('{} must have the format "{}", found "{}"',),
    "weights_missing": ("no weights at {}", "no weights at {}; the package's are {}"),
    "weights_not_finite": ("{} must hold finite numbers only; {} does not",),
    "weights_shape": (
        "{} must hold half floats, and {} is {}",
        "{} must describe its network: {}",
        "{} must hold {} of shape {}, got {}",
    ),
    "wrong_array": ("a block must be a float32 array of one dimension, got {}",),
}
CORE_CODES = {
    "batch_full",
    "not_finite",
    "not_joined",
    "out_of_range",
    "output_too_short",
    "wrong_array",
    "wrong_shape",
}


def text_of(node: ast.expr) -> str:
    """A message as it stands in the source, each value of it as ``{}``."""
    match node:
        case ast.Constant():
            return str(node.value)
        case ast.JoinedStr():
            parts = (p.value if isinstance(p, ast.Constant) else "{}" for p in node.values)
            return "".join(map(str, parts))
        case ast.BinOp():
            return text_of(node.left) + text_of(node.right)
        case _:
            return "{}"


def texts_in(function: ast.FunctionDef) -> set[tuple[str, str]]:
    found, message = set(), "{}"
    nodes = (n for n in ast.walk(function) if isinstance(n, ast.Assign | ast.Call))
    for node in sorted(nodes, key=lambda n: n.lineno):
        match node:
            case ast.Assign(targets=[ast.Name(id="message")]):
                message = text_of(node.value)
            case ast.Call(args=[first, *_]):
                named = {k.arg: k.value for k in node.keywords}
                if isinstance(code := named.get("code"), ast.Constant):
                    is_message = isinstance(first, ast.Name) and first.id == "message"
                    found.add((str(code.value), message if is_message else text_of(first)))
    return found


def texts_in_the_source(package: Path) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for file in package.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.FunctionDef):
                for code, text in texts_in(node):
                    found.setdefault(code, set()).add(text)
    return found


@pytest.mark.parametrize(
    ("kind", "standard"),
    [
        (errors.SettingError, ValueError),
        (errors.StreamError, RuntimeError),
        (errors.DeviceError, OSError),
        (errors.AudioFileError, OSError),
        (errors.SourceError, RuntimeError),
        (errors.StoreError, OSError),
        (errors.WeightsError, errors.PersonaVoiceError),
        (errors.PersonaFileError, errors.PersonaVoiceError),
        (errors.ConsentError, errors.PersonaVoiceError),
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


def test_every_code_is_listed_with_its_texts() -> None:
    assert texts_in_the_source(PACKAGE) == {code: set(texts) for code, texts in TEXTS.items()}


def test_a_planted_text_is_found(tmp_path: Path) -> None:
    (tmp_path / "planted.py").write_text(
        'def f(x):\n    message = f"x must be 1, got {x}"\n    raise E(message, code="planted")\n'
    )
    assert texts_in_the_source(tmp_path) == {"planted": {"x must be 1, got {}"}}


def test_every_code_of_the_core_is_listed() -> None:
    codes = set(re.findall(r'Self::\w+ \{ \.\. \} => "(\w+)"', CORE.read_text()))
    assert codes | {"wrong_array"} == CORE_CODES


@pytest.mark.parametrize(
    ("rates", "text"),
    [
        ((7_999, 24_000), "input_rate in Hz must lie in 8000..=192000, got 7999"),
        ((24_000, 192_001), "output_rate in Hz must lie in 8000..=192000, got 192001"),
        ((-1, 24_000), "input_rate in Hz must lie in 8000..=192000, got -1"),
        ((24_000, 1 << 40), "output_rate in Hz must lie in 8000..=192000, got 1099511627776"),
    ],
)
def test_a_refusal_of_the_core_is_a_setting_error(rates: tuple[int, int], text: str) -> None:
    with pytest.raises(errors.SettingError) as caught:
        _core.Resampler(*rates)
    assert (caught.value.code, str(caught.value)) == ("out_of_range", text)


def network(**wrong: list[float]) -> _core.Network:
    """The smallest there is, of which some tensors are wrong."""
    lengths = {"norm": 1, "layers.0.norm": 1, "enter": 80, "layers.0.up": 2, "layers.0.down": 1}
    tensors = {f"{name}.weight": [0.0] * n for name, n in (lengths | {"head": 160}).items()}
    biases = {"enter": 1, "layers.0.up": 1, "layers.0.down": 1, "head": 160}
    tensors |= {f"{name}.bias": [0.0] * n for name, n in biases.items()}
    return _core.Network(
        channels=1,
        hidden=1,
        input_frames=1,
        dilations=[1],
        late=1,
        tensors={n: np.array(of, np.float32) for n, of in (tensors | wrong).items()},
    )


@pytest.mark.parametrize(
    ("name", "numbers", "code", "text"),
    [
        ("head.bias", [], "wrong_shape", "head.bias must hold 160 values, got 0"),
        ("enter.bias", [1, 2], "wrong_shape", "enter.bias must hold 1 values, got 2"),
        (
            "layers.0.up.weight",
            [0.0, float("nan")],
            "not_finite",
            "layers.0.up.weight must hold finite numbers only, got NaN or infinity",
        ),
    ],
)
def test_a_tensor_that_the_core_refuses_is_named(
    name: str, numbers: list[float], code: str, text: str
) -> None:
    with pytest.raises(errors.SettingError) as caught:
        network(**{name: numbers})
    assert (caught.value.code, str(caught.value)) == (code, text)


def test_a_path_of_another_rate_cannot_join_a_batch() -> None:
    batch = _core.Batch(network(), sample_rate=48_000, slots=1)
    path = _core.Path(sample_rate=16_000, lookahead=960, register_hz=200.0, range=1.0, seed=1)
    with pytest.raises(errors.SettingError) as caught:
        batch.join(path)
    text = "a path must run at the 48000 Hz of the batch that it joins, got one at 16000 Hz"
    assert (caught.value.code, str(caught.value)) == ("out_of_range", text)
