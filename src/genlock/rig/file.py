"""``rig.toml`` in: every mistake at once, each with its place, in words for a person; and a JSON Schema for editors."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from genlock.errors import Mistake, RigFileError
from genlock.rig.fields import found
from genlock.rig.model import (
    Cable,
    CaptureOverrides,
    CaptureSettings,
    Emitter,
    Host,
    PlanSettings,
    Rig,
    RigDevice,
    Trigger,
    Wiring,
)

__all__ = ["load_rig", "parse_rig", "rig_json_schema"]

Place = tuple[str | int, ...]

_TOML_PLACE = re.compile(r"\s*\(at (?:line (\d+), column (\d+)|end of document)\)$")


def load_rig(path: Path) -> Rig:
    """The rig that a file describes.

    Raises:
        RigFileError: there is no such file, or it has mistakes; the error holds all of them with their places.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")  # Windows' Notepad puts a mark before the first line
    except UnicodeDecodeError as error:
        message = f"expected UTF-8 text; byte {error.start} is not UTF-8. Save the file as UTF-8."
        raise RigFileError(path, (Mistake("file", message),)) from error
    except OSError as error:
        message = f"cannot be read: {error.strerror or error}"
        raise RigFileError(path, (Mistake("file", message),)) from error
    return parse_rig(text, path)


def parse_rig(text: str, path: Path | str = "rig.toml") -> Rig:
    """The rig that a text describes; ``path`` is what an error calls it. Raises ``RigFileError`` like ``load_rig``."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RigFileError(path, (_toml_mistake(error),)) from error
    except (ValueError, RecursionError) as error:  # a number of thousands of digits; thousands of nested brackets
        raise RigFileError(path, (Mistake("file", f"is not TOML that can be read: {error}"),)) from error
    try:
        return Rig.model_validate(table)
    except ValidationError as error:
        details = error.errors(include_url=False)
        raise RigFileError(path, tuple(_mistake(detail) for detail in details)) from error


def _toml_mistake(error: tomllib.TOMLDecodeError) -> Mistake:
    text = str(error)
    place = _TOML_PLACE.search(text)
    if place is None:
        return Mistake("file", f"is not TOML: {text}")
    where = f"line {place[1]}, column {place[2]}" if place[1] else "end of the file"
    return Mistake(where, f"is not TOML: {text[: place.start()]}")


def _mistake(detail: ErrorDetails) -> Mistake:
    place = detail["loc"]
    value = detail["input"]
    match detail["type"]:
        case "extra_forbidden":
            message = _unknown_key(place)
        case "missing":
            message = "is missing"
        case "model_type" | "model_attributes_type":
            message = f"must be a table; found {found(value)}"
        case "tuple_type":
            tables = place[-1] in ("device", "cable", "host", "emitter")
            message = f"must be a list{f', written [[{_dotted(place)}]]' if tables else ''}; found {found(value)}"
        case "string_type":
            message = f"must be a text in quotes; found {found(value)}"
        case "string_too_short":
            message = "must not be empty"
        case "bool_type":
            message = f"must be true or false; found {found(value)}"
        case _:
            message = detail["msg"]
    return Mistake(_dotted(place), message)


def _dotted(place: Place) -> str:
    """``("device", 1, "serial")`` as ``device[1].serial``; list indices count from 0."""
    text = ""
    for part in place:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text or "file"


_TABLES: dict[str, type[BaseModel]] = {
    "": Rig,
    "capture": CaptureSettings,
    "wiring": Wiring,
    "wiring.cable": Cable,
    "wiring.trigger": Trigger,
    "plan": PlanSettings,
    "device": RigDevice,
    "host": Host,
    "emitter": Emitter,
}


def _keys_of(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


def _unknown_key(place: Place) -> str:
    """Says which known key was probably meant, here or in another table."""
    key = str(place[-1])
    table = ".".join(part for part in place[:-1] if isinstance(part, str))
    here = _keys_of(_TABLES[table])
    near = next(_nearest(key, here), None)
    if near is not None:
        return f'unknown key; did you mean "{near}"?'
    elsewhere = [name for name, model in _TABLES.items() if name != table and key in _keys_of(model)]
    if elsewhere:
        places = " or ".join(_header(name) for name in elsewhere)
        return f"unknown key here; it belongs {places}"
    return f"unknown key; known here are {', '.join(here)}"


def _header(table: str) -> str:
    if not table:
        return "at the top of the file"
    return f"in [[{table}]]" if table in ("device", "wiring.cable", "host", "emitter") else f"in [{table}]"


def _nearest(key: str, known: Sequence[str]) -> Iterator[str]:
    lowered = key.lower().replace("-", "_")
    yield from difflib.get_close_matches(lowered, known, n=1, cutoff=0.7)
    # "fps" for "camera_fps", "exposure" for "exposure_usec": too short for a ratio.
    yield from (name for name in known if len(lowered) >= 3 and lowered in name.split("_"))


def rig_json_schema() -> dict[str, Any]:  # any JSON
    """The JSON Schema of the rig file, for editors: it accepts the files that ``parse_rig`` accepts."""
    schema = Rig.model_json_schema(by_alias=True)
    _drop_nulls(schema)
    described = CaptureOverrides.model_json_schema()["properties"]
    for key, description in schema["$defs"]["CaptureSettings"]["properties"].items():
        description.setdefault("description", described[key]["description"])
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "genlock rig file"}


def _drop_nulls(node: Any) -> None:  # any JSON
    """TOML has no null: a key is given or left out. Taken from the schema in place, with pydantic's titles."""
    if isinstance(node, list):
        for item in node:
            _drop_nulls(item)
    if not isinstance(node, dict):
        return
    for key, child in node.items():
        if key == "properties":
            for description in child.values():
                _drop_null(description)
        _drop_nulls(child)


def _drop_null(description: dict[str, Any]) -> None:
    description.pop("title", None)
    if description.get("default", ...) is None:
        del description["default"]
    choices = [c for c in description.get("anyOf", []) if c.get("type") != "null"]
    if len(choices) == 1:
        del description["anyOf"]
        description.update(choices[0])
    elif choices:
        description["anyOf"] = choices
