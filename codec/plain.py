"""Frozen dataclasses ↔ values that JSON has."""

from dataclasses import fields, is_dataclass
from fractions import Fraction
from types import UnionType
from typing import TYPE_CHECKING, Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from ncodec.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Mapping

Kind = TypeVar("Kind")


def to_plain(value: object) -> Any:
    """Dataclass → dictionary, tuple → list and fraction → text, however deep; others as they
    are."""
    if isinstance(value, Fraction):
        return str(value)
    if is_dataclass(value):
        return {field.name: to_plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple):
        return [to_plain(entry) for entry in value]
    return value


def from_plain(value: object, kind: type[Kind]) -> Kind:
    """Value of `to_plain` → dataclass `kind`, by the annotations of its fields; raises FormatError
    where a field lacks or is of another type."""
    try:
        return cast("Kind", _typed(value, kind))
    except (ValueError, TypeError, KeyError, ZeroDivisionError) as error:
        msg = f"expected the fields of {kind.__name__}, got a file that cannot be read: {error}"
        raise FormatError(msg) from error


def _typed(value: object, kind: Any) -> Any:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        own = next(argument for argument in arguments if argument is not type(None))
        return None if value is None else _typed(value, own)
    if origin is tuple:
        entries = cast("list[object]", value)
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return tuple(_typed(entry, arguments[0]) for entry in entries)
        return tuple(_typed(entry, own) for entry, own in zip(entries, arguments, strict=True))
    if is_dataclass(kind):
        hints = get_type_hints(kind)
        found = cast("Mapping[str, object]", value)
        return cast("Any", kind)(
            **{field.name: _typed(found[field.name], hints[field.name]) for field in fields(kind)}
        )
    return Fraction(cast("str", value)) if kind is Fraction else kind(value)
