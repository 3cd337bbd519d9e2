"""Names: how she names herself, and what a name may be."""

from collections.abc import Collection
from hashlib import blake2b

from persona_voice.errors import SettingError

LONGEST = 40
# Besides letters, digits and spaces: as in Mary-Ann, O'Hara, Dr. Who.
SIGNS = "-'’."

# Given names from many languages, each common there; nobody's in particular.
NAMES = (
    *("Ada", "Adele", "Agnes", "Aiko", "Aisha", "Alba", "Alma", "Amara", "Amina", "Anya"),
    *("Ariadne", "Asha", "Astrid", "Aurora", "Ayla", "Beatriz", "Bianca", "Bronwyn", "Carmen"),
    *("Celeste", "Chiara", "Clara", "Dalia", "Daphne", "Delphine", "Dina", "Edith", "Elena"),
    *("Elif", "Elin", "Emine", "Esme", "Farah", "Fatou", "Femke", "Fiona", "Freya", "Greta"),
    *("Hana", "Hedda", "Helena", "Ida", "Ilse", "Imani", "Indira", "Ines", "Ingrid", "Irina"),
    *("Iris", "Isolde", "Jana", "Jasmin", "Johanna", "Judit", "June", "Kaia", "Katarina", "Keiko"),
    *("Kirsten", "Lakshmi", "Leila", "Leonor", "Lin", "Livia", "Lucia", "Maeve", "Maia", "Malin"),
    *("Marisol", "Marta", "Mei", "Mercy", "Mila", "Mira", "Nadia", "Naomi", "Nia", "Nina"),
    *("Noor", "Odile", "Olga", "Oriana", "Paloma", "Petra", "Priya", "Ragna", "Renata", "Rosa"),
    *("Ruth", "Sabine", "Saskia", "Selma", "Signe", "Silvia", "Sofia", "Soraya", "Talia", "Tamar"),
    *("Thandiwe", "Theodora", "Ulla", "Uma", "Vera", "Viola", "Wanda", "Yara", "Yuki", "Zora"),
)


def name_of_her_own(seed: int, taken: Collection[str] = ()) -> str:
    """The name that she gives herself: the same for a seed and those that are taken, and none of these."""
    gone = {name.casefold() for name in taken}
    digest = blake2b(f"{seed} name".encode(), digest_size=8).digest()
    first = int.from_bytes(digest, "big") % len(NAMES)
    names = NAMES[first:] + NAMES[:first]
    free = [name for name in names if name.casefold() not in gone]
    number = 2
    while not free:  # all hundred live here: the second Ada
        free = [f"{name} {number}" for name in names if f"{name} {number}".casefold() not in gone]
        number += 1
    return free[0]


def checked_name(name: str) -> str:
    """The name without spaces about it.

    Raises
    ------
    SettingError
        ``bad_name``.
    """
    name = " ".join(name.split())
    if not 1 <= len(name) <= LONGEST or not name[0].isalpha() or not all(map(_may_be_in, name)):
        message = (
            f"a name must be 1 to {LONGEST} letters, digits, spaces and {SIGNS}, a letter first, "
            f"got {name!r}"
        )
        raise SettingError(message, code="bad_name")
    return name


def _may_be_in(sign: str) -> bool:
    return sign.isalnum() or sign in SIGNS or sign == " "
