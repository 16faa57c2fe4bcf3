"""What the user confirms about a file, and what is proposed for confirmation."""

from dataclasses import dataclass, field

from analytics.logs.meaning.choice import Certainty
from analytics.logs.reading import staging
from analytics.logs.reading.staging import Question
from analytics.logs.schema import Form


@dataclass(frozen=True, slots=True)
class Mapping:
    """How a file's columns become a table's.

    Attributes:
        form: Table that the rows become.
        dialect: Key in ``DIALECTS``.
        columns: Canonical field -> source columns. Texts of several are joined with ``/``; of several
            numbers or times the first that a row has counts. Without ``request_id`` rows are known by
            file and line.
        constants: Canonical field -> text for every row that has no value of its own.
        units: Canonical field -> unit of the source: fraction, percent, logprob, s, ms, us, ns, iso,
            epoch_s, epoch_ms, epoch_us, epoch_ns, usd, cents, or time (a call's order is its time).
        decimal: Decimal mark of numbers written as text.
        dates: Order of day and month in dates with slashes or dots.
        encoding: Of the text, where the user had to say it.
    """

    form: Form
    dialect: str
    columns: dict[str, tuple[str, ...]]
    constants: dict[str, str] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    decimal: str = "."
    dates: str | None = None
    encoding: str | None = None

    def to_json(self) -> str:
        """JSON text that ``from_json`` reads."""
        return staging.dumps(self)

    @staticmethod
    def from_json(text: str) -> "Mapping":
        """What ``to_json`` wrote."""
        return staging.loads(Mapping, text)

    def shown(self) -> dict[str, str]:
        """Canonical field -> its source columns joined by ``+``, as reports show it."""
        return {name: "+".join(sources) for name, sources in self.columns.items()}


@dataclass(frozen=True, slots=True)
class Answers:
    """What the flags of a command or the controls of the page say about a file.

    Attributes:
        map: Canonical field -> source columns; an empty tuple leaves the field unread.
        set: Canonical field -> constant.
        unit: Canonical field or source column -> unit.
        dialect: Key in ``DIALECTS`` of the shape to read the file as; null: as it is recognised.
        encoding: Of the text.
        decimal: ``.`` or ``,``.
        dates: dmy, mdy or ymd.
        prices: Model -> (input, output) price in USD per million tokens.
        accept_rejects: Load although more than 10% of the records are rejected.
        keep_text: Load prompts and answers.
        missing: What a missing confidence does: escalate, keep or exclude.
    """

    map: dict[str, tuple[str, ...]] = field(default_factory=dict)
    set: dict[str, str] = field(default_factory=dict)
    unit: dict[str, str] = field(default_factory=dict)
    dialect: str | None = None
    encoding: str | None = None
    decimal: str | None = None
    dates: str | None = None
    prices: dict[str, tuple[float, float]] = field(default_factory=dict)
    accept_rejects: bool = False
    keep_text: bool = False
    missing: str = "escalate"

    def to_json(self) -> str:
        """JSON text that ``from_json`` reads."""
        return staging.dumps(self)

    @staticmethod
    def from_json(text: str) -> "Answers":
        """What ``to_json`` wrote."""
        return staging.loads(Answers, text)


@dataclass(frozen=True, slots=True)
class Guess:
    """One line of the mapping table.

    Attributes:
        field: Canonical field.
        sources: Columns that it is read from; empty if missing.
        certainty: sure, check or missing.
        samples: Up to three values.
        why: At most 30 characters.
    """

    field: str
    sources: tuple[str, ...]
    certainty: Certainty
    samples: tuple[str, ...]
    why: str


@dataclass(frozen=True, slots=True)
class Proposal:
    """A mapping to confirm.

    Attributes:
        mapping: As it would be used now.
        guesses: One per field that is read or that the log would gain from.
        questions: What must be answered before anything is loaded.
        notes: Sentences on what was decided and how to decide otherwise.
        unused: Source columns that nothing is read from.
        refusal: Why nothing can be loaded with this mapping, null if something can.
    """

    mapping: Mapping
    guesses: list[Guess]
    questions: list[Question]
    notes: list[str]
    unused: list[str]
    refusal: str | None = None
