"""Where a payment page may lead back to.

A customer token is in the hands of whoever looks at the page: with it, a payment page of ours must not become a way to
anywhere. Secret keys may name any page.
"""

from collections.abc import Iterable
from urllib.parse import SplitResult, urlsplit

from credits import bounds
from credits.errors import InvalidInput
from schema.context import Caller

_PORTS = {"http": 80, "https": 443}
_HERE = ("localhost", "127.0.0.1", "::1")

Origin = tuple[str, str, int]


def problem_of(url: str | None, caller: Caller, allowed: Iterable[str]) -> InvalidInput | None:
    """Why the payment page may not lead there. `allowed` are the origins of the settings."""
    if url is None:
        return None
    parts = _parts(url)
    if parts is None:
        return InvalidInput("must be an http or https URL without credentials", field="returnUrl")
    if not caller.is_customer:
        return None
    origin = _origin(parts)
    named = {found for each in (*caller.origins, *allowed) if (found := origin_of(each)) is not None}
    if origin in named:
        return None
    own = None if caller.host is None else origin_of(f"{parts.scheme}://{caller.host}")
    if origin == own and (parts.scheme == "https" or parts.hostname in _HERE):
        return None
    return InvalidInput("leads to an origin that is neither the token's nor among the allowed ones", field="returnUrl")


def origin_of(text: str) -> Origin | None:
    """Scheme, host and port of an origin or URL; None where it is none."""
    parts = _parts(text)
    return None if parts is None else _origin(parts)


def _parts(url: str) -> SplitResult | None:
    # Before it is taken apart: what Python leaves out or browsers read as `/` would be compared as something else.
    if not 0 < len(url) <= bounds.URL_MAX or not url.isprintable() or not url.isascii() or " " in url or "\\" in url:
        return None
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises on what is no number
    except ValueError:
        return None
    if (
        parts.scheme not in _PORTS
        or not parts.hostname
        or "@" in parts.netloc
        or not url[len(parts.scheme) :].startswith("://")
    ):
        return None
    return parts


def _origin(parts: SplitResult) -> Origin:
    return parts.scheme, (parts.hostname or "").rstrip("."), parts.port or _PORTS[parts.scheme]
