"""Files of usage, read row by row in bounded memory, from any row on.

CSV (a header, then rows; comma, semicolon or tab), JSON Lines, and a JSON array. What a row means, an event or
something to be mapped, is not known here.
"""

import csv
import os
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import BinaryIO

from credits import bounds
from credits.usage.parse import Malformed, Unreadable, cut_array, parse_event

_CHUNK_BYTES = 1024 * 1024
_BOM = b"\xef\xbb\xbf"
_SEPARATED = (".csv", ".tsv")


class FileRefused(ValueError):
    """The file cannot be read on; the message says where."""


class Kind(Enum):
    CSV = "CSV"
    LINES = "JSON Lines"
    ARRAY = "a JSON array"


@dataclass(frozen=True, slots=True)
class Row:
    """One row: a JSON value (for CSV: an object of texts), or `Unreadable`. `number` counts from 1.

    `problem` says what is wrong with the row as a whole; `end` is the byte of the file to go on from after it.
    """

    content: object
    number: int
    end: int
    problem: str | None = None


def kind_of(path: Path) -> Kind:
    """By its name where that says CSV, else by its first character."""
    if path.suffix.lower() in _SEPARATED:
        return Kind.CSV
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            if first := chunk.removeprefix(_BOM).lstrip()[:1]:
                return Kind.ARRAY if first == b"[" else Kind.LINES
    return Kind.LINES


def columns(path: Path) -> list[str]:
    """The columns of a CSV file. Raises `FileRefused`."""
    with path.open("rb") as file:
        return _header(file)[0]


def rows(path: Path, *, offset: int = 0, number: int = 0) -> Iterator[Row]:
    """The rows after byte `offset`, of which `number` came before. Raises `FileRefused`."""
    read = {Kind.CSV: _csv, Kind.LINES: _lines, Kind.ARRAY: _array}[kind_of(path)]
    with path.open("rb") as file:
        if not offset and file.read(len(_BOM)) != _BOM:
            file.seek(0)
        if offset:
            file.seek(offset)
        yield from read(file, number)


def _header(file: BinaryIO) -> tuple[list[str], str]:
    """The columns, and what separates them."""
    line = file.readline(_CHUNK_BYTES).decode("utf-8-sig", errors="replace")
    separator = max(",;\t", key=line.count)
    names = next(csv.reader([line], delimiter=separator, skipinitialspace=True), [])
    if not names or len(set(names)) < len(names):
        raise FileRefused("the first line must name the columns, each once")
    return names, separator


def _csv(file: BinaryIO, number: int) -> Iterator[Row]:
    start = file.tell()
    file.seek(0)
    names, separator = _header(file)
    file.seek(max(start, file.tell()))
    reader = csv.reader(_text_lines(file), delimiter=separator, skipinitialspace=True)
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise FileRefused(f"row {number + 1}: {error}") from error
        if cells is None:
            return
        if not cells:
            continue
        number += 1
        problem = None
        if len(cells) != len(names):
            problem = f"the row has {len(cells)} cells, the header {len(names)}"
        row = dict(zip(names, cells, strict=False))
        yield Row({**row, "": cells[len(names) :]} if len(cells) > len(names) else row, number, file.tell(), problem)


def _text_lines(file: BinaryIO) -> Iterator[str]:
    """Lines as the csv module wants them: with their ends, and no more of them than it needs for a row."""
    while line := file.readline(bounds.BODY_BYTES_MAX):
        yield line.decode(errors="surrogateescape")  # the envelope refuses half characters, this row alone


def _lines(file: BinaryIO, number: int) -> Iterator[Row]:
    while line := file.readline(bounds.BODY_BYTES_MAX):
        content: object
        if not line.endswith(b"\n") and len(line) == bounds.BODY_BYTES_MAX:
            while (rest := file.readline(_CHUNK_BYTES)) and not rest.endswith(b"\n"):
                pass
            text = line[: bounds.EVENT_BYTES_MAX].decode(errors="replace")
            content = Unreadable(text, f"is a line of more than {bounds.BODY_BYTES_MAX} bytes")
        elif line.isspace():
            continue
        else:
            content = parse_event(line)
        number += 1
        yield Row(content, number, file.tell())


def _array(file: BinaryIO, number: int) -> Iterator[Row]:
    start = file.tell()
    chunks = iter(lambda: file.read(_CHUNK_BYTES), b"")
    try:
        for text, end in cut_array(chunks, inside=number > 0):
            number += 1
            yield Row(parse_event(text), number, start + end)
    except Malformed as error:
        raise FileRefused(f"after row {number}: {error}") from error


def size_of(path: Path) -> int:
    """Bytes. Raises `FileRefused` for what is no file that can be read."""
    if not path.is_file() or not os.access(path, os.R_OK):
        raise FileRefused("is no file that can be read")
    return path.stat().st_size
