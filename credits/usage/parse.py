"""Bodies of events → JSON values, with every number exactly as it was written. PURE.

Integers of up to 64 bits are `int`, every other number is a `Decimal` with the digits it was written with, and what
JSON does not know but some writers write (NaN, Infinity) is a `Decimal` that is not finite, for the envelope to
refuse. Of a repeated key the last one counts, as in every common parser. orjson reads what it reads exactly, which is
most; where a float appears, or where it gives up, the standard library reads again. What that cannot read either is
cut into its events, and each is read by itself, so that one that is broken is refused alone.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum

import orjson

from credits import bounds

_BOM = b"\xef\xbb\xbf"  # files from spreadsheets begin with it
_INT64_DIGITS = 20  # what integers of 64 bits have at most, sign and all
# What tells where an event of a JSON array ends: strings are skipped whole, brackets counted.
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[\[\]{},"]', re.DOTALL)
_CLOSING = {b"[": b"]", b"{": b"}"}
_CLOSED = frozenset(_CLOSING.values())


class Form(Enum):
    """How a body holds its events."""

    ONE = "one event"
    BATCH = "an array of events"
    LINES = "one event a line"
    EITHER = "an event or an array of events"


class Malformed(Exception):
    """The body as a whole cannot be read; nothing of it was taken."""


class TooManyEvents(Exception):
    """More events than one request may bring."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """What stands in the place of an event and is no JSON."""

    text: str
    reason: str


def parse_body(body: bytes, form: Form) -> list[object]:
    """The events of a body, in order: JSON values or `Unreadable`. Raises `Malformed`, `TooManyEvents`."""
    body = body.removeprefix(_BOM)
    if form is Form.LINES:
        return _lines(body)
    if form is Form.EITHER:
        form = Form.BATCH if body.lstrip()[:1] == b"[" else Form.ONE
    return _batch(body) if form is Form.BATCH else [_one(body)]


def parse_event(raw: bytes) -> object:
    """One event by itself (or any JSON value): read exactly, or `Unreadable`."""
    try:
        value = orjson.loads(raw)
        exact = not holds_float(value)
    except (orjson.JSONDecodeError, RecursionError):
        exact = False
    return value if exact else _exactly(raw)


def holds_float(value: object) -> bool:
    """Whether orjson has made a float of any number in it: it is no longer what was written."""
    kind = type(value)
    if kind is dict:
        for item in value.values():  # type: ignore[attr-defined]
            kind = type(item)
            if kind is not str and kind is not int and holds_float(item):
                return True
        return False
    if kind is list:
        return any(map(holds_float, value))  # type: ignore[call-overload]
    return kind is float


def _one(body: bytes) -> object:
    found = parse_event(body)
    if isinstance(found, Unreadable):
        raise Malformed(f"the body {found.reason}")
    if not isinstance(found, dict):
        raise Malformed("the body is not one event, a JSON object; several are sent as a batch")
    return found


def _lines(body: bytes) -> list[object]:
    lines = [line for line in body.split(b"\n") if line and not line.isspace()]
    if len(lines) > bounds.EVENTS_PER_REQUEST_MAX:
        raise TooManyEvents
    return list(map(parse_event, lines))


def _batch(body: bytes) -> list[object]:
    found = parse_event(body)
    if isinstance(found, Unreadable):
        return list(map(parse_event, _elements(body, found.reason)))
    if not isinstance(found, list):
        raise Malformed("the body is not a batch, a JSON array of events")
    if len(found) > bounds.EVENTS_PER_REQUEST_MAX:
        raise TooManyEvents
    return found


def _elements(body: bytes, reason: str) -> list[bytes]:
    """The texts of an array's elements; `reason` is why it could not be read as a whole. Ten times slower than that."""
    elements: list[bytes] = []
    try:
        for text, _ in cut_array([body]):
            elements.append(text)
            if len(elements) > bounds.EVENTS_PER_REQUEST_MAX:
                raise TooManyEvents
    except Malformed:
        raise Malformed(f"the body {reason}") from None
    return elements


def cut_array(chunks: Iterable[bytes], *, inside: bool = False) -> Iterator[tuple[bytes, int]]:
    """The texts of a JSON array's elements, and how many bytes may be skipped with each when it is done.

    The array comes in chunks; `inside`: from the middle of it, after an element. Strings are skipped, brackets
    counted, and what stands between them is looked at by nobody. Raises `Malformed` where it is no array.
    """
    buffer, passed, scanned, start = b"", 0, 0, 0
    awaited = [b"]"] if inside else []
    begun, found = inside, 0
    for chunk in chunks:
        buffer, passed, scanned, start = buffer[start:] + chunk, passed + start, scanned - start, 0
        for token in _TOKEN.finditer(buffer, scanned):
            symbol, scanned = token[0], token.end()
            if symbol == b'"':  # not ended yet: the next chunk has the rest
                scanned = token.start()
                break
            if not awaited and (begun or symbol != b"[" or buffer[start : token.start()].strip()):
                raise Malformed("is no JSON array")
            ends = _ends_element(symbol, awaited)
            if not begun:
                begun, start = True, token.end()
            if ends:
                text, start, found = buffer[start : token.start()], token.end(), found + 1
                if text.strip():
                    yield text, passed + (start if awaited else token.start())
                elif awaited or found > 1:
                    raise Malformed("is no JSON array: an element is missing")
        else:
            scanned = len(buffer)
        if len(buffer) - start > bounds.BODY_BYTES_MAX:
            raise Malformed(f"has an element larger than {bounds.BODY_BYTES_MAX} bytes")
    if awaited or not begun or buffer[start:].strip():
        raise Malformed("is no JSON array: it does not end")


def _ends_element(symbol: bytes, awaited: list[bytes]) -> bool:
    """Follows one symbol through the brackets; whether an element of the outermost array ends with it."""
    if symbol in _CLOSING:
        awaited.append(_CLOSING[symbol])
        return False
    if symbol in _CLOSED and symbol != awaited.pop():
        raise Malformed("is no JSON array: brackets do not match")
    return not awaited or (symbol == b"," and len(awaited) == 1)


def _exactly(raw: bytes) -> object:
    """Read by the standard library, which is slower and lets us make each number ourselves."""
    try:
        return json.loads(raw.decode(), parse_float=Decimal, parse_int=_whole, parse_constant=Decimal)
    except UnicodeDecodeError:
        reason = "is not UTF-8"
    except RecursionError:
        reason = "is nested far too deep"
    except (ValueError, ArithmeticError) as error:
        reason = f"is not JSON: {error}"
    return Unreadable(raw.decode(errors="replace"), reason)


def _whole(digits: str) -> int | Decimal:
    """As orjson has it: an `int` where 64 bits hold it."""
    if len(digits) <= _INT64_DIGITS:
        number = int(digits)
        if -(2**63) <= number < 2**64:
            return number
    return Decimal(digits)
