"""Rows → one text for each column: how a batch travels to PostgreSQL.

The driver writes an array element by element, and asks each of them first whether it is an array itself: half of what
sending a batch cost. As text, a column is written in one go, and PostgreSQL reads it where it has time.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import orjson

from credits.db import Prepared

_AS_JSON = frozenset({"text", "json"})  # may hold anything; a JSON array says it without doubt


@dataclass(frozen=True, slots=True)
class Batched:
    """A statement that takes any number of rows. `kinds` are the types of its columns, `source` gives its rows."""

    statement: Prepared
    kinds: tuple[str, ...]

    @classmethod
    def of(cls, name: str, sql: str, kinds: Iterable[str]) -> Self:
        each = tuple(kinds)
        return cls(Prepared(name, sql, len(each)), each)

    def arguments(self, rows: Iterable[Sequence[Any]]) -> list[str | None]:
        """The rows as the statement takes them. A column of nulls is null: most entries leave half of them empty."""
        return [
            None if values[0] is None and values.count(None) == len(values) else column(kind, values)
            for kind, values in zip(self.kinds, zip(*rows, strict=True), strict=True)
        ]


def source(columns: Mapping[str, str], name: str, first: int = 1) -> str:
    """`ROWS FROM (…) AS name (columns)`: the rows that the parameters from `first` on carry, null where one is short."""
    each = ", ".join(_elements(kind, number) for number, kind in enumerate(columns.values(), first))
    return f"ROWS FROM ({each}) AS {name} ({', '.join(columns)})"


def column(kind: str, values: Sequence[Any]) -> str:
    """One column of that type as text, nulls where None."""
    if kind in _AS_JSON:
        return orjson.dumps(values).decode()
    if kind == "bytea":
        values = [None if value is None else rf"\x{value.hex()}" for value in values]
    # A JSON array of numbers, instants and hexadecimals is PostgreSQL's array but for its brackets.
    return f"{{{orjson.dumps(values, default=str)[1:-1].decode()}}}"


def _elements(kind: str, number: int) -> str:
    if kind in _AS_JSON:
        return f"json_array_elements_text(${number}::text::json)"
    return f"unnest(${number}::text::{kind}[])"
