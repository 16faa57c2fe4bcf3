"""Column names that no file may have."""

from analytics.errors import SchemaError
from analytics.logs.reading.staging import shown


def check_names(names: list[str]) -> None:
    """Refuse two columns of one name.

    Raises:
        SchemaError: Two names are equal, or differ only in case.
    """
    seen: dict[str, int] = {}
    for place, name in enumerate(names):
        first = seen.setdefault(name.casefold(), place)
        if first == place:
            continue
        if names[first] == name:
            raise SchemaError(
                f'Column "{shown(name)}" appears twice (columns {first + 1} and {place + 1}). '
                "Rename or remove one of them; nothing was loaded."
            )
        raise SchemaError(
            f'"{shown(names[first])}" and "{shown(name)}" differ only in case '
            f"(columns {first + 1} and {place + 1}). Rename one of them; nothing was loaded."
        )
