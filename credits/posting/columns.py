"""Rows → one text for each column: how a batch travels to PostgreSQL.

The driver writes an array element by element, and asks each of them first whether it is an array itself: half of what
sending a batch cost. As text, a column is written in one go, and PostgreSQL reads it where it has time.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import orjson

from credits.db import Prepared

_NOTHING: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Batched:
    """A statement that takes any number of rows. `kinds` are the types of its columns, `source` gives its rows.

    `alike` are the places of those columns that are mostly the same in all rows, and then travel, and are read, once.
    """

    statement: Prepared
    kinds: tuple[str, ...]
    alike: tuple[int, ...] = ()

    @classmethod
    def of(cls, name: str, sql: str, kinds: Iterable[str], alike: Iterable[int] = ()) -> Self:
        each, places = tuple(kinds), tuple(alike)
        return cls(Prepared(name, sql, len(each) + len(places)), each, places)

    def arguments(self, rows: Iterable[Sequence[Any]]) -> list[str | None]:
        """The rows as the statement takes them. A column of nulls is null: most entries leave half of them empty."""
        columns: list[Sequence[Any] | None] = [
            None if values[0] is None and values.count(None) == len(values) else values
            for values in zip(*rows, strict=True)
        ]
        alike: list[str | None] = [None] * len(self.alike)
        for number, place in enumerate(self.alike):
            values = columns[place]
            if values is not None and values.count(values[0]) == len(values):
                alike[number], columns[place] = single(values[0]), None
        sent = zip(self.kinds, columns, strict=True)
        return [*(None if values is None else column(kind, values) for kind, values in sent), *alike]


def source(columns: Mapping[str, str], name: str, first: int = 1) -> str:
    """`(SELECT …) AS name`: the rows that the parameters from `first` on carry, null where one is short.

    In the list of a SELECT, where PostgreSQL makes row after row: from a ROWS FROM it first keeps each column apart.
    """
    each = (f"{_elements(kind, number)} AS {column}" for number, (column, kind) in enumerate(columns.items(), first))
    return f"(SELECT {', '.join(each)}) AS {name}"


def lists(columns: Iterable[str], prefix: str) -> str:
    """Each column of a SELECT as one list, named by the prefix: many rows in one. A list of lists has them as texts, as
    they differ in length."""
    return ", ".join(f"array_agg({name}{'::text' if name == 'drawn' else ''}) AS {prefix}{name}" for name in columns)


def column(kind: str, values: Sequence[Any]) -> str:
    """One column of that type as text, nulls where None. Text may hold anything: a JSON array says it without doubt.

    A column of JSON holds texts of it, none of them None; they come out as they are, to the last blank.
    """
    if kind == "json":
        return f"[{','.join(values)}]"
    if kind == "text":
        return orjson.dumps(values).decode()
    if kind == "bytea":
        values = [None if value is None else rf"\x{value.hex()}" for value in values]
    # A JSON array of numbers, instants and hexadecimals is PostgreSQL's array but for its brackets.
    return f"{{{orjson.dumps(values, default=str)[1:-1].decode()}}}"


def single(value: Any) -> str:
    """One value as text, but for JSON and bytes."""
    return value if isinstance(value, str) else orjson.dumps(value, default=str).decode().strip('"')


def _elements(kind: str, number: int) -> str:
    if kind == "json":
        return f"json_array_elements(${number}::text::json)"
    if kind == "text":
        return f"json_array_elements_text(${number}::text::json)"
    return f"unnest(${number}::text::{kind}[])"


def insert(
    table: str,
    columns: dict[str, str],
    *,
    cast: Mapping[str, str] = _NOTHING,
    alike: Sequence[str] = (),
    suffix: str = "",
) -> Batched:
    """`INSERT … SELECT FROM` one array per column: one statement for any number of rows.

    An array of arrays would be unnested to its elements, so array columns travel as text and are `cast` here.
    """
    places = {name: place for place, name in enumerate(columns)}
    values = {name: f"{name}::{cast[name]}" if name in cast else name for name in columns}
    for number, name in enumerate(alike, len(columns) + 1):
        values[name] = f"coalesce({name}, (SELECT ${number}::text::{columns[name]}))"  # the sub-select is run once
    names, selected = ", ".join(columns), ", ".join(values.values())
    sql = f"INSERT INTO {table} ({names}) SELECT {selected} FROM {source(columns, 'new')} {suffix}"  # noqa: S608 -- names of our own, written above
    return Batched.of(f"insert_{table}", sql, columns.values(), [places[name] for name in alike])


def update(
    table: str,
    key: dict[str, str],
    columns: dict[str, str],
    *,
    cast: Mapping[str, str] = _NOTHING,
    name: str | None = None,
) -> Batched:
    """One set-based UPDATE for any number of changed rows; `name` where there are several for the table."""
    both = key | columns
    values = ", ".join(f"{name} = new.{name}{f'::{cast[name]}' if name in cast else ''}" for name in columns)
    matches = " AND ".join(f"old.{name} = new.{name}" for name in key)
    sql = f"UPDATE {table} old SET {values} FROM {source(both, 'new')} WHERE {matches}"  # noqa: S608 -- names of our own, written above
    return Batched.of(name or f"update_{table}", sql, both.values())
