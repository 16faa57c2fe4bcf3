"""Names and texts of our own inside SQL; what users write is bound, never quoted into a statement."""


def identifier(text: str) -> str:
    """A name as an SQL identifier: our own, or a column of a file."""
    return '"' + text.replace('"', '""') + '"'


def quoted(text: str) -> str:
    """A text as an SQL literal: a path, or one of our own."""
    return "'" + text.replace("'", "''") + "'"
