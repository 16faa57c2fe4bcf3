"""The three errors that data can cause, each followed by a different remedy.

A wrong flag is the command line's own error; a programming mistake stays a ``ValueError``.
"""


class TiertuneError(Exception):
    """Base of the errors that a page explains and a shell reports.

    The text is written for the user: what is needed, what was found, what to do. It never holds a
    server path or another library's message.
    """

    kind = "error"


class SchemaError(TiertuneError):
    """The file or the policy is not what it must be: fix the file."""

    kind = "schema"


class InsufficientDataError(TiertuneError):
    """The question needs more rows than the log has: collect more."""

    kind = "insufficient_data"


class NotIdentifiedError(TiertuneError):
    """The log does not observe what the question is about: log something else."""

    kind = "not_identified"
