"""Field types of the rig file whose mistakes a person understands, and which an editor's JSON Schema shows as they are.

Each is a marker for ``Annotated``: it checks a value as TOML gives it, and describes the same rule as JSON Schema.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from enum import Enum
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

__all__ = ["CableEnd", "Choice", "Number", "Numbers", "Pairs", "SerialNumber", "Version", "Whole", "found"]

_DIGITS = re.compile(r"[0-9]+", re.ASCII)
_ENDS = ("splitter", "trigger")

# TOML hands over any of its types; these are the ones that a check has to look at.
Raw = Any
Json = dict[str, Any]


def found(value: Raw) -> str:
    """How a message shows the offending value: as TOML writes it, cut when long."""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = f'"{value}"' if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def mistake(message: str) -> PydanticCustomError:
    """What a check raises. The braces of a message are not a template."""
    return PydanticCustomError("rig_file", "{message}", {"message": message})


class _Marker:
    """The part that all markers share: hand pydantic the check and the schema."""

    def read(self, value: Raw) -> Raw:
        raise NotImplementedError

    def schema(self) -> Json:
        raise NotImplementedError

    def __get_pydantic_core_schema__(self, source: Raw, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.read)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> Json:
        return self.schema()


@dataclass(frozen=True)
class Choice(_Marker):
    """One of the members of an enum, by value."""

    members: tuple[Enum, ...]

    def read(self, value: Raw) -> Enum:
        """The member with this value."""
        for member in self.members:
            if not isinstance(value, bool) and value == member.value:
                return member
        legal = ", ".join(found(m.value) for m in self.members)
        raise mistake(f"must be one of {legal}; found {found(value)}")

    def schema(self) -> Json:
        """An ``enum``."""
        return {"enum": [m.value for m in self.members]}


@dataclass(frozen=True)
class Version(_Marker):
    """The one version of the file format that can be read."""

    readable: int

    def read(self, value: Raw) -> int:
        """The version."""
        if isinstance(value, bool) or value != self.readable:
            raise mistake(f"must be {self.readable}, the version that this genlock reads; found {found(value)}")
        return self.readable

    def schema(self) -> Json:
        """A ``const``."""
        return {"const": self.readable}


@dataclass(frozen=True)
class Whole(_Marker):
    """A whole number within a range, or ``"auto"`` where the camera may choose."""

    low: int
    high: int
    unit: str = ""
    step: int = 1
    auto: bool = False

    def read(self, value: Raw) -> int | str:
        """The number; ``30.0`` is one too, as JSON Schema has it."""
        if self.auto and value == "auto":
            return "auto"
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not is_number or value != value or not self.low <= value <= self.high or value % self.step:
            raise mistake(f"must be {self._legal}; found {found(value)}")
        return int(value)

    @property
    def _legal(self) -> str:
        unit = f" {self.unit}" if self.unit else ""
        step = f" in steps of {self.step}" if self.step > 1 else ""
        auto = ', or "auto"' if self.auto else ""
        return f"a whole number from {self.low} to {self.high}{unit}{step}{auto}"

    def schema(self) -> Json:
        """An ``integer`` with its bounds."""
        number: Json = {"type": "integer", "minimum": self.low, "maximum": self.high}
        if self.step > 1:
            number["multipleOf"] = self.step
        return {"anyOf": [number, {"const": "auto"}]} if self.auto else number


@dataclass(frozen=True)
class Number(_Marker):
    """A finite number above a lower bound."""

    above: float
    high: float
    unit: str

    def read(self, value: Raw) -> float:
        """The number."""
        if not _is_finite(value) or not self.above < value <= self.high:
            raise mistake(
                f"must be a number above {self.above:g}, at most {self.high:g} {self.unit}; found {found(value)}"
            )
        return float(value)

    def schema(self) -> Json:
        """A ``number`` with its bounds."""
        return {"type": "number", "exclusiveMinimum": self.above, "maximum": self.high}


@dataclass(frozen=True)
class Numbers(_Marker):
    """A fixed count of finite numbers."""

    count: int
    meaning: str

    def read(self, value: Raw) -> tuple[float, ...]:
        """The numbers."""
        if not isinstance(value, (list, tuple)) or len(value) != self.count or not all(map(_is_finite, value)):
            raise mistake(f"must be {self.count} numbers, {self.meaning}; found {found(value)}")
        return tuple(float(v) for v in value)

    def schema(self) -> Json:
        """An ``array`` of numbers."""
        return {"type": "array", "items": {"type": "number"}, "minItems": self.count, "maxItems": self.count}


def _is_finite(value: Raw) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < math.inf


@dataclass(frozen=True)
class SerialNumber(_Marker):
    """A device's serial number: a string of digits (leading zeros count, so never a number)."""

    def read(self, value: Raw) -> str:
        """The serial."""
        if not isinstance(value, str) or not _DIGITS.fullmatch(value):
            hint = f'; write it in quotes, "{value:012d}"' if type(value) is int and value >= 0 else ""
            raise mistake(f"must be a serial number, a string of digits; found {found(value)}{hint}")
        return value

    def schema(self) -> Json:
        """A ``string`` of digits."""
        return {"type": "string", "pattern": f"^{_DIGITS.pattern}$"}


@dataclass(frozen=True)
class CableEnd(_Marker):
    """What a cable may end in: a device by its serial, the splitter, the trigger."""

    def read(self, value: Raw) -> str:
        """The end."""
        if isinstance(value, str) and (value in _ENDS or _DIGITS.fullmatch(value)):
            return value
        raise mistake(f'must be a serial number in quotes, "splitter" or "trigger"; found {found(value)}')

    def schema(self) -> Json:
        """A ``string``: digits or one of the words."""
        return {"type": "string", "pattern": f"^({_DIGITS.pattern}|{'|'.join(_ENDS)})$"}


@dataclass(frozen=True)
class Pairs(_Marker):
    """``"all"``, ``"none"``, or a list of pairs of serials."""

    def read(self, value: Raw) -> str | tuple[tuple[str, str], ...]:
        """The word, or the pairs."""
        if value in ("all", "none"):
            return str(value)
        if not isinstance(value, (list, tuple)):
            raise mistake(f'must be "all", "none" or a list of pairs of serials; found {found(value)}')
        wrong = [found(pair) for pair in value if not _is_pair(pair)]
        if wrong:
            raise mistake(f'each pair must be two serials in quotes, ["...", "..."]; found {", ".join(wrong)}')
        return tuple((pair[0], pair[1]) for pair in value)

    def schema(self) -> Json:
        """A word, or an ``array`` of pairs."""
        pair = {"type": "array", "items": SerialNumber().schema(), "minItems": 2, "maxItems": 2}
        return {"anyOf": [{"enum": ["all", "none"]}, {"type": "array", "items": pair}]}


def _is_pair(value: Raw) -> bool:
    return (
        isinstance(value, (list, tuple))
        and len(value) == 2
        and all(isinstance(serial, str) and _DIGITS.fullmatch(serial) for serial in value)
    )
