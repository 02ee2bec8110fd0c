"""Types of the command line."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

import click

from ncodec.media.numbered import frame_rate

LARGEST_AMOUNT = 10**12


class Amount(click.ParamType[float]):
    """A positive number below 10¹², with k, M or G behind it, if need be."""

    name = "number[k|M|G]"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Text or number → number."""
        return float(self._exact(value, param, ctx))

    def _exact(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Decimal:
        text = str(value)
        factor = {"k": 1_000, "M": 1_000_000, "G": 1_000_000_000}.get(text[-1:], 1)
        try:
            number = Decimal(text if factor == 1 else text[:-1]) * factor
        except ArithmeticError:
            number = Decimal(0)
        if not (number.is_finite() and 0 < number < LARGEST_AMOUNT):
            self.fail(
                f"expected a number such as 800k or 1.5M, above 0 and below 10¹², got {text!r}",
                param,
                ctx,
            )
        return number


class Bytes(Amount):
    """A whole number of bytes, at least 1, with k, M or G behind it, if need be."""

    name = "bytes[k|M|G]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Text or number → number, rounded down."""
        number = int(self._exact(value, param, ctx))
        if number < 1:
            self.fail(f"expected at least 1 byte, got {value!r}", param, ctx)
        return number


class FrameRate(click.ParamType[Fraction]):
    """Frames a second, 0.01 to 1000: 24, 29.97 or 30000/1001."""

    name = "rate"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Fraction:
        """Text → ratio; 29.97 and other roundings of NTSC rates become multiples of 1000/1001."""
        try:
            given = Fraction(value) if "/" in str(value) else float(value)
        except (ValueError, ZeroDivisionError):
            given = float("nan")
        if not 0.01 <= given <= 1000:
            self.fail(f"expected a rate such as 24 or 30000/1001, got {value!r}", param, ctx)
        return frame_rate(given)


class Seconds(click.ParamType[float]):
    """A time: 12.5, 12.5s, 1:02.5 or 1:00:00."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Text → seconds."""
        if isinstance(value, float):
            return value
        seconds = 0.0
        try:
            for part in value.removesuffix("s").split(":"):
                seconds = 60 * seconds + float(part) if not part.startswith("-") else float("nan")
        except ValueError:
            seconds = float("nan")
        if not 0 <= seconds < 1e9:
            self.fail(f"expected a time such as 12.5s or 1:02.5, got {value!r}", param, ctx)
        return seconds
