"""Reading a document field by field: what is wrong is noted with its path, what is unknown is not passed over. PURE.

Values come from YAML or JSON as `str`, `int`, `bool`, `Decimal`, lists and mappings. A float is refused: it has lost
its digits already.
"""

import difflib
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from credits import amount, bounds, durations
from credits.texts import is_line

KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}", re.ASCII)
_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})", re.ASCII)
_REQUIRED: Final = object()
_MAGNITUDE_MAX = 40
_NAME_SHOWN = 80  # characters of a field's name that a path tells


class Problems:
    """What is wrong with a document, in the order found: (path, message)."""

    def __init__(self) -> None:
        self.found: list[tuple[str, str]] = []

    def note(self, path: str, message: str) -> None:
        self.found.append((path, message))


class Fields:
    """One mapping of the document. Each reader takes one field; `done` notes what nobody took.

    A reader always returns something of its type; where it noted a problem, the whole document is refused later.
    `unbuilt` names fields of the contract that Scrip does not have yet, with what they are called.
    """

    def __init__(
        self, value: object, path: str, problems: Problems, *, unbuilt: Mapping[str, str] | None = None
    ) -> None:
        self.path = path
        self._problems = problems
        self._unbuilt = unbuilt or {}
        self._known: list[str] = []
        self._values: Mapping[object, object] = {}
        if isinstance(value, Mapping):
            self._values = value
        else:
            problems.note(path, f"must be a mapping of fields, not {_kind(value)}")
            self._problems = Problems()  # that is the one problem, and not that each field is missing

    def at(self, name: str) -> str:
        """The path of a field."""
        shown = name if len(name) <= _NAME_SHOWN else f"{name[:_NAME_SHOWN]}…"
        return f"{self.path}.{shown}" if self.path else shown

    def problem(self, name: str, message: str) -> None:
        self._problems.note(self.at(name), message)

    def wrong(self, name: str) -> bool:
        """Something was noted about the field."""
        return any(path == self.at(name) for path, _ in self._problems.found)

    def done(self) -> None:
        """Notes every field that no reader asked for."""
        for name, value in self._values.items():
            if name in self._known:
                continue
            if name in self._unbuilt:
                if value:  # an empty list or null uses nothing
                    self.problem(str(name), f"Scrip does not have {self._unbuilt[str(name)]} yet")
                continue
            # Only the first few are told: looking for what was meant costs more than reading it.
            told = len(self._problems.found) < bounds.PROBLEMS_MAX
            near = difflib.get_close_matches(str(name), self._known, n=1) if told else []
            self.problem(str(name), f"is no field of this document{f'; do you mean {near[0]}?' if near else ''}")

    def has(self, name: str) -> bool:
        """The field is there, be it null."""
        self._known.append(name)
        return name in self._values

    def key(self, name: str) -> str:
        """A required key: what everything else refers to it by."""
        value = self.text(name)
        if value and not KEY.fullmatch(value):
            self.problem(name, "must be 1 to 64 ASCII letters, digits and . _ : / -, beginning with a letter or digit")
        return value

    def text(self, name: str, default: str | object = _REQUIRED, *, longest: int = bounds.NAME_MAX) -> str:
        """One line of text."""
        value = self._take(name, default)
        if value is default and isinstance(value, str):
            return value
        return self._line(name, value, longest)

    def line(self, name: str, *, longest: int = bounds.NAME_MAX) -> str | None:
        """One line of text, or None."""
        value = self._take(name, None)
        return None if value is None else self._line(name, value, longest)

    def paragraph(self, name: str) -> str | None:
        """Text with line breaks, or None."""
        value = self._take(name, None)
        if value is None:
            return None
        if isinstance(value, str) and value and len(value) <= bounds.NOTE_MAX:
            if is_line(value.replace("\n", " ").replace("\t", " ")):
                return value
            self.problem(name, "must not contain control characters")
        else:
            self.problem(name, f"must be 1 to {bounds.NOTE_MAX} characters of text{_hint(value)}")
        return None

    def flag(self, name: str) -> bool:
        """True or false; false when absent."""
        value = self._take(name, False)
        if isinstance(value, bool):
            return value
        self.problem(name, "must be true or false")
        return False

    def whole(self, name: str, low: int, high: int, default: int) -> int:
        """A whole number within bounds."""
        value = self._take(name, default)
        if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
            return value
        self.problem(
            name,
            f"must be a whole number from {low} to {high}{'; leave out the quotes' if isinstance(value, str) else ''}",
        )
        return default

    def choice(self, name: str, options: tuple[str, ...], default: str) -> str:
        """One of the words given."""
        value = self._take(name, default)
        if isinstance(value, str) and value in options:
            return value
        near = [option for option in options if option.lower() == str(value).lower().replace(" ", "_")]
        near = near or difflib.get_close_matches(str(value)[:_NAME_SHOWN].upper(), options, n=1)
        meant = f"; do you mean {near[0]}?" if near else ""
        self.problem(name, f"must be one of {', '.join(options)}{meant}")
        return default

    def number(self, name: str, default: Decimal | None = None) -> Decimal:
        """An exact decimal, not negative, with up to 12 decimals. Required unless there is a default."""
        value = self._take(name, _REQUIRED if default is None else default)
        if value is _REQUIRED:
            return Decimal(0)
        number = exact(value)
        if number is None:
            lost = (
                "; this one came as a float and has lost its digits: put it in quotes"
                if isinstance(value, float)
                else ""
            )
            self.problem(name, f'must be a plain decimal such as "0.001": at most 13 digits and 12 decimals{lost}')
        elif number < 0:
            self.problem(name, "must not be negative")
        else:
            return number
        return Decimal(0)

    def instant(self, name: str) -> datetime | None:
        """An instant with its offset, in UTC."""
        value = self._take(name, None)
        if value is None:
            return None
        try:
            if isinstance(value, str) and _INSTANT.fullmatch(value):
                return datetime.fromisoformat(value.upper()).astimezone(UTC)
        except (ValueError, OverflowError):
            pass
        self.problem(name, "must be an instant with date, time and offset, such as 2026-01-01T00:00:00Z")
        return None

    def duration(self, name: str) -> str | None:
        """An ISO 8601 duration, as written."""
        value = self._take(name, None)
        if value is None:
            return None
        try:
            if isinstance(value, str):
                durations.parse(value)
                return value
        except ValueError:
            pass
        self.problem(name, "must be an ISO 8601 duration such as P30D or P1Y")
        return None

    def mapping(self, name: str) -> Mapping[object, object]:
        """A mapping with names of the author's own; empty when absent."""
        value = self._take(name, {})
        if isinstance(value, Mapping):
            return value
        self.problem(name, f"must be a mapping, not {_kind(value)}")
        return {}

    def child(self, name: str) -> "Fields":
        """A required mapping of fields."""
        value = self._take(name, _REQUIRED)
        return (
            Fields({}, self.at(name), Problems())
            if value is _REQUIRED
            else Fields(value, self.at(name), self._problems)
        )

    def rows(self, name: str, most: int, *, unbuilt: Mapping[str, str] | None = None) -> "list[Fields]":
        """A list of mappings."""
        self._known.append(name)
        value = self._values.get(name)
        if not isinstance(value, list):
            wrong = (
                "is empty: write [] for none, or leave it out"
                if value is None
                else f"must be a list, not {_kind(value)}"
            )
            self.problem(name, wrong)
            return []
        if len(value) > most:
            self.problem(name, f"has {len(value)} items, {most} is the most")
            return []
        return [
            Fields(item, f"{self.at(name)}[{place}]", self._problems, unbuilt=unbuilt)
            for place, item in enumerate(value)
        ]

    def _take(self, name: str, default: object) -> object:
        self._known.append(name)
        value = self._values.get(name)
        if value is not None:  # null is as good as absent
            return value
        if default is _REQUIRED:
            self.problem(name, "is missing")
        return default

    def _line(self, name: str, value: object, longest: int) -> str:
        if value is _REQUIRED:
            return ""
        if isinstance(value, str) and len(value) <= longest and is_line(value):
            return value
        self.problem(name, f"must be 1 to {longest} visible characters of text{_hint(value)}")
        return ""


def exact(value: object) -> Decimal | None:
    """The decimal that was written, or None for what is no plain decimal."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        return None
    if isinstance(value, Decimal) and abs(value.adjusted()) > _MAGNITUDE_MAX:
        return None  # 1e999999 would be a megabyte in plain notation
    try:
        return amount.parse_plain(value if isinstance(value, str) else format(Decimal(value), "f"))
    except ValueError:
        return None


def _kind(value: object) -> str:
    if value is None:
        return "nothing"
    names: dict[type, str] = {Mapping: "a mapping", list: "a list", str: "text", bool: "true or false"}
    names |= {int: "a number", float: "a number", Decimal: "a number"}
    return next((name for kind, name in names.items() if isinstance(value, kind)), type(value).__name__)


def _hint(value: object) -> str:
    """What to do about the usual slip of YAML: text that looks like something else."""
    return "" if isinstance(value, str) else f", not {_kind(value)}; is it to be in quotes?"
