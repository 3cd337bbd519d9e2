"""A persona's file: all of it, provenance and consent too, or none."""

from pathlib import Path

import pytest

from persona_voice.errors import PersonaFileError
from persona_voice.persona.persona import load_persona, personas_folder, read_persona

TEXT = (personas_folder() / "samantha" / "persona.toml").read_text()


def test_the_one_that_comes_along_says_where_she_comes_from_and_by_whose_leave() -> None:
    persona = load_persona("Samantha")
    assert "imitates no person" in persona.provenance
    assert persona.consent.startswith("None needed")


@pytest.mark.parametrize("missing", ["consent", "provenance", "register_hz"])
def test_one_that_lacks_a_part_is_refused_and_the_part_is_named(
    tmp_path: Path, missing: str
) -> None:
    file = tmp_path / "persona.toml"
    file.write_text(TEXT.replace(f"\n{missing} =", "\nother ="))
    with pytest.raises(PersonaFileError, match=f"missing or unknown: .*{missing}") as caught:
        read_persona(file)
    assert caught.value.code == "bad_persona_file"


@pytest.mark.parametrize("text", ["name = ", TEXT.replace("195.0", '"low"')])
def test_what_is_no_persona_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "persona.toml"
    file.write_text(text)
    with pytest.raises(PersonaFileError) as caught:
        read_persona(file)
    assert caught.value.code == "bad_persona_file"
