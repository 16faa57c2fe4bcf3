"""What each kind of token costs, by service tier and length of the prompt, and what a call costs by that.

Input tokens are all of a prompt, those read from and written to the provider's cache included; output tokens
are all of an answer, reasoning included. So no token is billed twice.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, fields

PER_MILLION = 1e6
STANDARD = "standard"
SERVICES = (STANDARD, "batch", "flex", "priority", "balanced", "ultrafast")
CLASSES = ("input", "output", "cache_read", "cache_write", "cache_write_1h", "reasoning")
ANY_LENGTH = -1
_DIGITS = 12


@dataclass(frozen=True, slots=True)
class Rates:
    """USD per token of each class; one without a price of its own costs what it is part of.

    Attributes:
        input_usd: Input tokens that no cache had a part in.
        output_usd: Output tokens.
        cache_read_usd: Input tokens read from the provider's cache; null: as input.
        cache_write_usd: Input tokens written to the cache for five minutes; null: as input.
        cache_write_1h_usd: Input tokens written to the cache for an hour; null: as for five minutes.
        reasoning_usd: Reasoning tokens; null: as output.
    """

    input_usd: float
    output_usd: float
    cache_read_usd: float | None = None
    cache_write_usd: float | None = None
    cache_write_1h_usd: float | None = None
    reasoning_usd: float | None = None

    def each(self) -> tuple[float, float, float, float, float, float]:
        """USD per token in the order of ``CLASSES``, every class known."""
        write = _or(self.cache_write_usd, self.input_usd)
        return (
            self.input_usd,
            self.output_usd,
            _or(self.cache_read_usd, self.input_usd),
            write,
            _or(self.cache_write_1h_usd, write),
            _or(self.reasoning_usd, self.output_usd),
        )


@dataclass(frozen=True, slots=True)
class Band:
    """Rates of one service for prompts of more than ``above_tokens`` input tokens, up to the next band."""

    service: str
    above_tokens: int
    rates: Rates


@dataclass(frozen=True, slots=True)
class Override:
    """A price set by hand, in USD per million tokens; what is null is not set.

    Attributes:
        input: Of input tokens, and of those read from or written to a cache unless these are set.
        output: Of output tokens, and of reasoning tokens unless these are set.
        cache_read: Of input tokens read from a cache.
        cache_write: Of input tokens written to a cache for five minutes.
        cache_write_1h: Of those written for an hour.
        reasoning: Of reasoning tokens.
        set_at: When it was set, UTC.
    """

    input: float | None = None
    output: float | None = None
    cache_read: float | None = None
    cache_write: float | None = None
    cache_write_1h: float | None = None
    reasoning: float | None = None
    set_at: dt.datetime | None = None

    def given(self) -> dict[str, float]:
        """USD per million tokens by class, of those that are set."""
        named = {field.name: getattr(self, field.name) for field in fields(self) if field.name in CLASSES}
        return {name: value for name, value in named.items() if value is not None}


Overrides = Mapping[str, Override]


@dataclass(frozen=True, slots=True)
class Price:
    """What the tokens of a model cost.

    Attributes:
        bands: By service and length; those of the standard service first, the shortest prompts first.
        supports_reasoning: Whether the model can think before it answers.
        mode: chat, responses, completion, ...
        by_hand: What of it was set by hand, null if nothing.
    """

    bands: tuple[Band, ...]
    supports_reasoning: bool = False
    mode: str = "chat"
    by_hand: Override | None = None

    @property
    def input_usd(self) -> float:
        """Per input token of a usual call."""
        return self.bands[0].rates.input_usd

    @property
    def output_usd(self) -> float:
        """Per output token of a usual call."""
        return self.bands[0].rates.output_usd

    @property
    def blended_usd_per_1m(self) -> float:
        """USD per million tokens at three input tokens to one output token, the field's usual mix."""
        return (3 * self.input_usd + self.output_usd) / 4 * PER_MILLION

    @property
    def long_above_tokens(self) -> int | None:
        """Input tokens above which a prompt has a price of its own; null: there is one price for all."""
        return next((band.above_tokens for band in self.bands if band.above_tokens > 0), None)

    def per_1m(self, service: str = STANDARD) -> dict[str, float]:
        """USD per million tokens by class, of short prompts."""
        each = self.of_service(service)[0].rates.each()
        return {name: per_million(usd) for name, usd in zip(CLASSES, each, strict=True)}

    def services(self) -> tuple[str, ...]:
        """The service tiers that have prices of their own."""
        usual = [(band.above_tokens, band.rates.each()) for band in self.of_service(STANDARD)]
        return tuple(
            service
            for service in SERVICES[1:]
            if [(band.above_tokens, band.rates.each()) for band in self.of_service(service)] != usual
        )

    def has(self, service: str) -> bool:
        """Whether calls of a service tier cost their own price, or the one set by hand for all."""
        return service == STANDARD or self.by_hand is not None or bool(self._own(service))

    def cost_usd(
        self,
        input_tokens: int,
        output_tokens: int,
        *,
        cached_tokens: int = 0,
        cache_write_tokens: int = 0,
        cache_write_1h_tokens: int = 0,
        reasoning_tokens: int = 0,
        service: str = STANDARD,
    ) -> float:
        """Cost of one call; a part cannot be more than its whole.

        Args:
            input_tokens: All input tokens.
            output_tokens: All output tokens.
            cached_tokens: Input tokens read from the cache.
            cache_write_tokens: Input tokens written to it.
            cache_write_1h_tokens: Of those, the ones written for an hour.
            reasoning_tokens: Output tokens spent on reasoning.
            service: One of ``SERVICES``.
        """
        band = [band for band in self.of_service(service) if band.above_tokens < input_tokens][-1]
        paid, made, read_at, write_at, hour_at, thought_at = band.rates.each()
        read = min(cached_tokens, input_tokens)
        written = min(cache_write_tokens, input_tokens - read)
        hour = min(cache_write_1h_tokens, written)
        thought = min(reasoning_tokens, output_tokens)
        return (
            (input_tokens - read - written) * paid
            + read * read_at
            + (written - hour) * write_at
            + hour * hour_at
            + (output_tokens - thought) * made
            + thought * thought_at
        )

    def of_service(self, service: str) -> list[Band]:
        """The bands of a service, shortest prompts first; the usual ones where it has none."""
        return self._own(service) or self._own(STANDARD)

    def _own(self, service: str) -> list[Band]:
        return [band for band in self.bands if band.service == service]


def flat(rates: Rates) -> tuple[Band, ...]:
    """One price for every service and length."""
    return (Band(STANDARD, ANY_LENGTH, rates),)


def overridden(listed: Price | None, stated: Override) -> Price | None:
    """A price with what was set by hand, which holds for every service and length of the prompt.

    None where input or output has no price then.
    """
    given = stated.given()
    if listed is None:
        if not {"input", "output"} <= given.keys():
            return None
        return Price(flat(_with(None, given)), by_hand=stated)
    bands = tuple(Band(band.service, band.above_tokens, _with(band.rates, given)) for band in listed.bands)
    if all(band.rates == bands[0].rates for band in bands):
        bands = flat(bands[0].rates)
    return Price(bands, listed.supports_reasoning, listed.mode, stated)


def per_million(usd: float) -> float:
    """USD per million tokens without the dust of binary fractions."""
    return float(f"{usd * PER_MILLION:.{_DIGITS}g}")


def cost_sql(side: str = "") -> str:
    """``Price.cost_usd`` as SQL over columns of tokens and of rates; no user text is in it.

    The rates are columns named ``_`` and the class. Unknown whole counts give null, unknown parts are none.
    DuckDB and Polars both read it.
    """
    whole_in, whole_out = f"{side}input_tokens", f"{side}output_tokens"
    read = f"LEAST(COALESCE({side}cached_tokens, 0), {whole_in})"
    written = f"LEAST(COALESCE({side}cache_write_tokens, 0), {whole_in} - {read})"
    hour = f"LEAST(COALESCE({side}cache_write_1h_tokens, 0), {written})"
    thought = f"LEAST(COALESCE({side}reasoning_tokens, 0), {whole_out})"
    return (
        f"(({whole_in} - {read} - {written}) * _input + {read} * _cache_read"
        f" + ({written} - {hour}) * _cache_write + {hour} * _cache_write_1h"
        f" + ({whole_out} - {thought}) * _output + {thought} * _reasoning)"
    )


def _with(rates: Rates | None, given: Mapping[str, float]) -> Rates:
    """Rates in USD per token with some given per million; what a given class is the whole of follows it."""
    usd = {name: value / PER_MILLION for name, value in given.items()}
    listed = dict(zip(CLASSES, (None,) * len(CLASSES) if rates is None else rates.each(), strict=True))
    if "input" in usd:
        listed |= dict.fromkeys(("cache_read", "cache_write", "cache_write_1h"))
    if "cache_write" in usd:
        listed["cache_write_1h"] = None
    if "output" in usd:
        listed["reasoning"] = None
    merged = {**listed, **usd}
    return Rates(**{f"{name}_usd": merged[name] for name in CLASSES})  # type: ignore[arg-type]


def _or(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value
