"""A received event → what the ledger takes. PURE: CloudEvents 1.0 in, `TakeEvent` out.

Always a `TakeEvent`: what cannot be taken carries its problem and is stored as a dead letter, INVALID. Then `data_text`
is the whole event as it came, and `type` is empty, which no sound event's is: that is how a reader tells the two apart.

Who sends the same again, whatever way it comes, must be recognised, so `key` and `content` are made here alone:
`key` from source and id, `content` from what the event means (`1.0` is `1`, 12:00Z is 13:00+01:00).
"""

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import orjson
from asyncpg.pgproto import pgproto

from credits import bounds
from credits.canonical import canonical_json, fingerprint, fingerprint_in_utc
from credits.customers.customers import valid_text
from credits.posting.commands import TakeEvent
from credits.rating.meter import MEMBER
from credits.usage.parse import Unreadable

SPECVERSION = "1.0"
_INT64_MIN, _UINT64_MAX = -(2**63), 2**64 - 1  # what orjson writes
# RFC 3339; digits beyond microseconds are cut. A blank instead of the T is what RFC 3339 itself allows.
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,32})?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII)
_CUT = "…"


class Problem(Exception):
    """Why an event cannot be taken."""


def from_cloud_event(received: object, *, accept_late: bool = False, place: str | None = None) -> TakeEvent:
    """An event as `/v1/events` and files bring it: parsed JSON with exact numbers, or `Unreadable`.

    `place` is where in a file it stands: by it an event is recognised that has no source and id of its own.
    """
    try:
        return _sound(received, accept_late=accept_late)  # type: ignore[arg-type]  # looked at inside
    except Problem as problem:
        return unsound(received, str(problem), accept_late=accept_late, place=place)


def from_attributes(  # noqa: PLR0917 -- an event's attributes, in the order of the contract
    event_id: str,
    source: str,
    event_type: str,
    subject: str,
    time: datetime | None,
    data: object,
    *,
    accept_late: bool = False,
) -> TakeEvent:
    """An event whose attributes came one by one, as `ingestEvents` and mapped files bring it."""
    received = {
        "specversion": SPECVERSION,
        "id": event_id,
        "source": source,
        "type": event_type,
        "subject": subject,
        "time": time,
        "data": data,
    }
    return from_cloud_event(received, accept_late=accept_late)


def event_key(source: str, event_id: str) -> UUID:
    """What an event is known by for ever: the first half of SHA-256(source ‖ NUL ‖ id). Neither may hold a NUL.

    A UUID of the driver's kind, as it reads them: made and hashed in a tenth of the standard library's time.
    """
    return pgproto.UUID(hashlib.sha256(f"{source}\0{event_id}".encode()).digest()[:16])


def _sound(received: dict[str, Any], *, accept_late: bool) -> TakeEvent:
    if type(received) is not dict:
        raise Problem(received.reason if isinstance(received, Unreadable) else "is not a JSON object")
    if received.get("specversion") != SPECVERSION:
        raise Problem('specversion must be "1.0": events are CloudEvents 1.0')
    event_id = _text(received, "id", bounds.EVENT_NAME_MAX)
    source = _text(received, "source", bounds.EVENT_NAME_MAX)
    event_type = _text(received, "type", bounds.EVENT_NAME_MAX)
    subject = _text(received, "subject", bounds.CUSTOMER_KEY_MAX)
    time = _instant(received.get("time"))
    if "data_base64" in received:
        raise Problem("data_base64 is not taken: send data as a JSON object")
    _check_media_type(received.get("datacontenttype"))
    data, data_text = _data(received)
    return TakeEvent(
        event_key(source, event_id),
        fingerprint_in_utc(event_type, subject, time, data),
        source,
        event_id,
        event_type,
        subject,
        time,
        data,
        data_text,
        None,
        accept_late,
    )


def _text(received: Mapping[str, Any], name: str, longest: int) -> str:
    value = received.get(name)
    if type(value) is str and 0 < len(value) <= longest and value.isprintable():  # as `valid_text`, four times an event
        return value
    if value is None:
        raise Problem(f"{name} is missing{': it is the key of the customer' if name == 'subject' else ''}")
    raise Problem(f"{name} must be text of 1 to {longest} visible characters")


def _instant(value: object) -> datetime | None:
    """RFC 3339, or an instant already → UTC."""
    if value is None:
        return None
    try:
        if type(value) is str and _INSTANT.fullmatch(value):
            value = datetime.fromisoformat(value.upper())
        if isinstance(value, datetime):
            return value.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise Problem(f"time is no such instant: {error}") from None
    raise Problem("time must be an instant in RFC 3339 with offset, such as 2026-01-31T09:30:00Z")


def _check_media_type(value: object) -> None:
    if value is None:
        return
    media_type = value.partition(";")[0].strip().lower() if isinstance(value, str) else ""
    if media_type != "application/json" and not media_type.endswith("+json"):
        raise Problem("datacontenttype must be application/json")


def _data(received: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """The data, and its text as it is stored: the numbers as they were written."""
    data = received.get("data")
    if type(data) is not dict:
        raise Problem("data is missing" if data is None else "data must be a JSON object")
    for name, value in data.items():
        kind = type(value)
        if kind is not str and kind is not int:
            _check_value(value, f"data.{name}", 2)
    member = data.get(MEMBER)
    if member is not None and member != "" and not (type(member) is str and valid_text(member, bounds.NAME_MAX)):
        raise Problem(f"data.{MEMBER} must be text of 1 to {bounds.NAME_MAX} visible characters")
    text = _written(data)
    if len(text) > bounds.EVENT_BYTES_MAX:
        raise Problem(f"data must be at most {bounds.EVENT_BYTES_MAX} bytes")
    if b"\\u0000" in text and _holds_nul(data):
        raise Problem("data must not contain NUL characters")
    if len(data) > bounds.DIMENSIONS_MAX or len(text) > bounds.JSON_BYTES_MAX:
        _check_dimensions(data)
    return data, text.decode()


def _check_value(value: object, path: str, depth: int) -> None:
    """Numbers that can be told from each other, bounded depth, nothing that is no JSON."""
    kind = type(value)
    if value is None or kind is str or kind is bool:
        return
    if depth > bounds.JSON_DEPTH_MAX and (kind is dict or kind is list):
        raise Problem(f"{path[:80]} is nested deeper than {bounds.JSON_DEPTH_MAX}")
    if kind is dict:
        for name, item in value.items():  # type: ignore[attr-defined]
            _check_value(item, f"{path}.{name}", depth + 1)
    elif kind is list:
        for item in value:  # type: ignore[attr-defined]
            _check_value(item, path, depth + 1)
    elif kind is Decimal:
        _check_number(value, path)  # type: ignore[arg-type]
    elif kind is not int or not _INT64_MIN <= value <= _UINT64_MAX:  # type: ignore[operator]
        raise Problem(f"{path[:80]} is not a JSON value of ours")


def _check_number(number: Decimal, path: str) -> None:
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int):
        raise Problem(f"{path[:80]} is not a number")
    if len(number.as_tuple().digits) > bounds.NUMBER_DIGITS_MAX or abs(exponent) > bounds.NUMBER_DIGITS_MAX:
        raise Problem(f"{path[:80]} is a number of more than {bounds.NUMBER_DIGITS_MAX} digits")


def _check_dimensions(data: Mapping[str, Any]) -> None:
    scalars = {name: value for name, value in data.items() if not isinstance(value, dict | list)}
    if len(scalars) > bounds.DIMENSIONS_MAX:
        raise Problem(f"data must have at most {bounds.DIMENSIONS_MAX} plain fields")
    if len(canonical_json(scalars)) > bounds.JSON_BYTES_MAX:
        raise Problem(f"the plain fields of data must be at most {bounds.JSON_BYTES_MAX} bytes")


def _written(value: object) -> bytes:
    """JSON with every number as it was written."""
    try:
        return orjson.dumps(value, default=_as_written)
    except (orjson.JSONEncodeError, RecursionError) as error:
        raise Problem(f"is not JSON that can be kept: {error}") from None


def _as_written(value: object) -> object:
    if isinstance(value, Decimal):
        return orjson.Fragment(str(value)) if value.is_finite() else str(value)
    raise TypeError(f"{type(value).__name__} is no JSON value")


def _holds_nul(value: object) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(_holds_nul(name) or _holds_nul(item) for name, item in value.items())
    return isinstance(value, list) and any(map(_holds_nul, value))


def unsound(received: object, problem: str, *, accept_late: bool = False, place: str | None = None) -> TakeEvent:
    """What is kept of an event that cannot be taken: all of it, as text; and what can be told of it."""
    known = received if isinstance(received, dict) else {}
    named = [known.get(name) for name in ("source", "id")]
    usable = all(type(value) is str and valid_text(value, bounds.EVENT_NAME_MAX) for value in named)
    text = _kept(received)
    try:
        time = _instant(known.get("time"))
    except Problem:
        time = None
    source, event_id = (_safe(value, bounds.EVENT_NAME_MAX) for value in named)
    key = uuid4() if place is None else event_key(place, text)
    return TakeEvent(
        key=event_key(source, event_id) if usable else key,
        content=fingerprint("unsound", text),
        source=source,
        event_id=event_id,
        type="",
        subject=_safe(known.get("subject"), bounds.CUSTOMER_KEY_MAX),
        time=time,
        data={},
        data_text=text,
        problem=_safe(problem, bounds.NOTE_MAX),
        accept_late=accept_late,
    )


def _kept(received: object) -> str:
    """The event as JSON; what is no JSON, or too large to be shown, as the JSON string of its text or its beginning."""
    try:
        text = received.text if isinstance(received, Unreadable) else _written(received).decode()
        whole = isinstance(received, dict)
    except Problem:
        text, whole = _escaped(received), False
    if whole and len(text) <= bounds.EVENT_BYTES_MAX:
        return text
    if len(text) > bounds.EVENT_BYTES_MAX:
        text = text[: bounds.EVENT_BYTES_MAX] + _CUT
    return orjson.dumps(_storable(text)).decode()


def _escaped(received: object) -> str:
    """For half characters and depths that orjson does not write."""
    try:
        return json.dumps(received, default=str)
    except RecursionError:
        return "nested too deep to be written"


def _safe(value: object, longest: int) -> str:
    """Text that can be stored and shown, whatever was sent in its place."""
    return _storable(value)[:longest] if isinstance(value, str) else ""


def _storable(text: str) -> str:
    """PostgreSQL takes neither NUL nor half a character."""
    return text.encode(errors="replace").decode().replace("\0", "\ufffd")
