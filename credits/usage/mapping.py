"""The import map: where each attribute of an event comes from in a row of a file. PURE.

    source: {value: trace}
    id: {row: true}                                    # file name and row number
    type: {value: llm.tokens}
    subject: {column: CUSTOMER}
    time: {column: TIMESTAMP, timezone: UTC}           # may be left out: the time of receipt
    data: {model: {value: chat}, input_tokens: {column: ContextTokens}, version: {column: VERSION, as: text}}

A cell that is plainly a number becomes that number, so that an event is the same whether a file brings it or a
backend sends it; `as: text` leaves it text, and `data.member` always is. A cell that is empty is left out.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from decimal import Decimal
from zoneinfo import ZoneInfo, available_timezones

from credits.rating.meter import MEMBER
from credits.usage.envelope import SPECVERSION

_ATTRIBUTES = ("source", "id", "type", "subject", "time", "data")
_REQUIRED = ("source", "id", "type", "subject", "data")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,12})(\.[0-9]{1,12})?", re.ASCII)  # what JSON would write, within our bounds


class MapRefused(ValueError):
    """The map cannot be used; the message names the path."""


@dataclass(frozen=True, slots=True)
class Column:
    """From a column of the row. `as_text`: never a number."""

    name: str
    as_text: bool = False


@dataclass(frozen=True, slots=True)
class Value:
    """The same for every row."""

    value: object


@dataclass(frozen=True, slots=True)
class RowNumber:
    """File name and row number."""


Origin = Column | Value | RowNumber
Row = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class EventMap:
    """How rows become events."""

    source: Origin
    id: Origin
    type: Origin
    subject: Origin
    time: Origin | None
    timezone: tzinfo | None
    data: Mapping[str, Origin]

    def check_columns(self, known: Iterable[str]) -> None:
        """Raises `MapRefused` where the map names a column that the file has not."""
        names = list(known)
        origins = {name: getattr(self, name) for name in _ATTRIBUTES[:5]}
        origins |= {f"data.{name}": origin for name, origin in self.data.items()}
        for path, origin in origins.items():
            if isinstance(origin, Column) and origin.name not in names:
                raise MapRefused(f"{path}: the file has no column {origin.name!r}; it has {', '.join(names)}")

    def event(self, row: Row, file_name: str, number: int) -> dict[str, object]:
        """The row as a CloudEvent; what is missing in it is missing in the event, whose envelope says so."""
        event: dict[str, object] = {"specversion": SPECVERSION}
        for name in ("source", "id", "type", "subject"):
            origin: Origin = getattr(self, name)
            event[name] = f"{file_name}:{number}" if isinstance(origin, RowNumber) else _text(_found(origin, row))
        if self.time is not None:
            time = _found(self.time, row)
            event["time"] = instant(time, self.timezone) if isinstance(time, str) else time or ""
        data = {name: _datum(name, origin, row) for name, origin in self.data.items()}
        event["data"] = {name: value for name, value in data.items() if value is not None}
        return event


def parse_map(document: object) -> EventMap:
    """The map that a YAML document says. Raises `MapRefused`."""
    given = _keys(document, "the map", _ATTRIBUTES)
    for name in _REQUIRED:
        if name not in given:
            raise MapRefused(f"{name}: is missing")
    time = given.get("time")
    zone = None
    if isinstance(time, Mapping) and "timezone" in time:
        zone = _timezone(time["timezone"])
        time = {name: value for name, value in time.items() if name != "timezone"}
    data = given["data"]
    if not isinstance(data, Mapping):
        raise MapRefused("data: must say for each field where it comes from")
    return EventMap(
        source=_origin(given["source"], "source"),
        id=_origin(given["id"], "id", row_number=True),
        type=_origin(given["type"], "type"),
        subject=_origin(given["subject"], "subject"),
        time=None if time is None else _origin(time, "time"),
        timezone=zone,
        data={str(name): _origin(origin, f"data.{name}") for name, origin in data.items()},
    )


def instant(text: str, zone: tzinfo | None) -> datetime | str:
    """ISO 8601, or with a blank for the T; digits beyond microseconds are cut. In `zone` where it names no offset.

    A wall time that does not exist moves forward by the gap, one that occurs twice is the first. What is no instant
    stays the text that it is, for the envelope to refuse.
    """
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        return text
    if found.tzinfo is not None:
        return found
    return text if zone is None else found.replace(tzinfo=zone)


def number_or_text(cell: str) -> int | Decimal | str:
    """The number that a cell plainly is, else its text."""
    found = _NUMBER.fullmatch(cell)
    if found is None:
        return cell
    return Decimal(cell) if found[1] else int(cell)


def _found(origin: Origin, row: Row) -> object:
    if isinstance(origin, Column):
        return row.get(origin.name)
    return origin.value if isinstance(origin, Value) else None


def _text(value: object) -> object:
    """What an attribute is made of: numbers of JSON rows and of YAML constants are written out."""
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return str(value)
    return None if value == "" else value


def _datum(name: str, origin: Origin, row: Row) -> object:
    value = _found(origin, row)
    if not isinstance(origin, Column):
        return value
    if value == "":
        return None
    if name == MEMBER or origin.as_text:
        return _text(value)
    return number_or_text(value) if isinstance(value, str) else value


def _origin(given: object, path: str, *, row_number: bool = False) -> Origin:
    fields = _keys(given, path, ("column", "value", "as", *(["row"] if row_number else [])))
    kind = [name for name in ("column", "value", "row") if name in fields]
    if len(kind) != 1:
        raise MapRefused(f"{path}: says one of column, value{', row' if row_number else ''}")
    if "as" in fields and (fields["as"] != "text" or "column" not in fields or not path.startswith("data.")):
        raise MapRefused(f"{path}.as: `text`, for a column of data, is all it can be")
    if "row" in fields:
        if fields["row"] is not True:
            raise MapRefused(f"{path}.row: must be true")
        return RowNumber()
    if "value" in fields:
        return Value(fields["value"])
    if not isinstance(fields["column"], str):
        raise MapRefused(f"{path}.column: must be the name of a column")
    return Column(fields["column"], "as" in fields)


def _keys(given: object, path: str, known: Iterable[str]) -> Mapping[str, object]:
    if not isinstance(given, Mapping):
        raise MapRefused(f"{path}: must be a mapping, such as {{column: NAME}}")
    for name in given:
        if name not in known:
            raise MapRefused(f"{path}.{name}: is not known here; there is {', '.join(known)}")
    return given


def _timezone(name: object) -> tzinfo:
    if not isinstance(name, str) or name not in available_timezones():
        raise MapRefused(f"time.timezone: {name!r} is no IANA timezone such as Europe/Berlin")
    return ZoneInfo(name)
