"""Whether a webhook is Stripe's. Nothing of a body is read before it is known to be."""

import time
from collections.abc import Sequence
from typing import Any

import orjson
from stripe import SignatureVerificationError, WebhookSignature

TOLERANCE_S = 300  # in the past
AHEAD_S = 60  # in the future: the library has no bound there, and a stolen signature would live for ever


class NotStripes(Exception):
    """The body is not to be believed. The message says what is wrong, never what it was."""


def read_event(
    body: bytes, header: str | None, secrets: Sequence[str], *, now_s: float | None = None
) -> dict[str, Any]:
    """The event, signed with one of the `secrets` (two while one replaces the other), within the last 5 minutes.

    Raises `NotStripes`.
    """
    if header is None or len(header) > 4_000:
        raise NotStripes("no signature")
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise NotStripes("the body is not UTF-8") from error
    if not any(_signed(text, header, secret) for secret in secrets):
        raise NotStripes("the signature is none of Stripe's, or too old")
    if _timestamp(header) > (time.time() if now_s is None else now_s) + AHEAD_S:
        raise NotStripes("the signature is from the future")
    try:
        event = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise NotStripes("the body is not JSON") from error
    if not _is_event(event):
        raise NotStripes("the body is no event")
    return event  # type: ignore[no-any-return]


def _signed(text: str, header: str, secret: str) -> bool:
    try:
        return bool(WebhookSignature.verify_header(text, header, secret, TOLERANCE_S))
    except (SignatureVerificationError, ValueError, OverflowError, TypeError):  # the last: a signature beyond ASCII
        return False


def _timestamp(header: str) -> int:
    """The one that was signed: the first, as the library reads it."""
    parts = [part.split("=", 2) for part in header.split(",")]
    return next(int(part[1]) for part in parts if part[0] == "t")


def _is_event(event: Any) -> bool:
    return (
        isinstance(event, dict)
        and event.get("object") == "event"
        and isinstance(event.get("id"), str)
        and 0 < len(event["id"]) <= 255
        and "\0" not in event["id"]
        and isinstance(event.get("type"), str)
        and isinstance(event.get("livemode"), bool)
        and isinstance(event.get("data"), dict)
        and isinstance(event["data"].get("object"), dict)
        and isinstance(event["data"]["object"].get("id"), str)
    )
