"""What the sandbox shows: its pages as HTML without a script, from the parts in `page/`. Whatever comes from outside is text.

Links and forms begin at `base`, the path of the public address: behind a proxy the server may not be at the root.
"""

import html
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from string import Template
from typing import Literal, TypeAlias
from urllib.parse import quote, urlencode, urlsplit

from credits.amount import plain_micro
from credits.catalog.currencies import from_minor
from credits.recharge.provider import PaymentState
from server.sandbox.payments import SandboxPayment

Result: TypeAlias = Literal["paid", "failed", "canceled", "saved"]

FOLDER = Path(__file__).parent / "page"
_PART = re.compile(r"<!-- part: (\w+) -->\n")
_SAFE = "!#$%&'()*+,/:;=?@[]~"  # of an address, what is not to be escaped again

# What came of a payment, as the address that the browser goes back to says it.
RESULTS: dict[PaymentState, Result] = {"SUCCEEDED": "paid", "FAILED": "failed", "CANCELED": "canceled"}


@dataclass(frozen=True, slots=True)
class Bought:
    """What Scrip knows of the order beyond what the provider was told: micro-credits, and their unit."""

    credits_micro: int
    unit: str


def _parts() -> dict[str, Template]:
    _, *pieces = _PART.split((FOLDER / "page.html").read_text(encoding="utf-8"))
    return {name: Template(text.rstrip("\n")) for name, text in zip(pieces[::2], pieces[1::2], strict=True)}


_PARTS = _parts()


def checkout(
    payment: SandboxPayment, shop: str, bought: Bought | None, now: datetime, base: str, *, returning: bool
) -> str:
    """The page of a payment, as it is now. `returning`: the browser is being led back to where it came from."""
    current = payment.at(now)
    price = money(current.subtotal, current.currency)
    heading, lead, tone = _told(current, price, now)
    path = f"{base}/sandbox/checkout/{payment.order_id}"
    parts = [_fill("heading", shop=shop, heading=heading, lead=lead)]
    texts = {"name": current.name, "quantity": grouped(str(current.quantity)), "price": price}
    texts["credits"] = "" if bought is None else f"{grouped(plain_micro(bought.credits_micro))} {bought.unit}"
    parts.append(_fill("order", **texts))
    if current.is_open(now):
        form = "authentication" if current.state == "REQUIRES_ACTION" else "choices"
        parts.append(_fill(form, path=path, seen=str(current.version)))
    result = RESULTS.get(current.state)
    back = None if result is None else return_address(current.return_url, result, payment.order_id)
    if back is not None:
        parts.append(_fill("back", url=back, host=host_of(back)))
        if returning:
            heading = f"{heading}: going back"
    parts.append(_fill("number", order=payment.order_id))
    return _frame(heading, tone, parts, base)


def setup(shop: str, customer: str, token: str, return_url: str | None, base: str, *, saved: bool) -> str:
    """The page on which a customer saves a payment method; and what it shows once that is done."""
    if saved:
        heading, lead, tone = "Saved", f"{customer} is charged by this card from now on.", "good"
    else:
        heading, lead, tone = (
            "Add a payment method",
            f"For {customer}. Choose how the card behaves when it is charged.",
            "",
        )
    parts = [_fill("heading", shop=shop, heading=heading, lead=lead)]
    if not saved:
        parts.append(_fill("cards", path=f"{base}/sandbox/setup/{token}"))
    back = return_address(return_url, "saved") if saved else return_address(return_url, None)
    if back is not None:
        parts.append(_fill("back", url=back, host=host_of(back)))
    return _frame(heading, tone, parts, base)


def missing(base: str) -> str:
    """For an address that leads to nothing, or to what is no business of the sandbox."""
    lead = "This address leads to no payment of a test workspace, or its time is over."
    return _frame("Nothing here", "", [_fill("heading", shop="Payments", heading="Nothing here", lead=lead)], base)


def return_address(return_url: str | None, result: Result | None, order_id: str | None = None) -> str | None:
    """Where the browser goes back to, with what came of it; None where nobody said, or it is no address of the web."""
    if return_url is None:
        return None
    try:
        parts = urlsplit(return_url)
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return None
    more: dict[str, str] = {}
    if result is not None:
        more = {"scrip_setup": result} if order_id is None else {"scrip_top_up": order_id, "scrip_result": result}
    query = "&".join(filter(None, (parts.query, urlencode(more))))
    # Printable ASCII alone: it stands in a header, too.
    return quote(parts._replace(query=query).geturl(), safe=_SAFE)


def host_of(address: str) -> str:
    """Whose it is, for people: without the user name that an address may begin with."""
    return urlsplit(address).netloc.rpartition("@")[2]


def money(minor: int, currency: str) -> str:
    """`1,234.00 USD`."""
    return f"{from_minor(minor, currency):,f} {currency}"


def grouped(plain: str) -> str:
    """`1234.5` → `1,234.5`."""
    whole, point, rest = plain.partition(".")
    return f"{int(whole):,}{point}{rest}"


def _told(payment: SandboxPayment, price: str, now: datetime) -> tuple[str, str, str]:
    """Heading, the sentence below it, and its tone."""
    match payment.state:
        case "PENDING":
            return f"Pay {price}", "Choose what the payment should come to.", ""
        case "REQUIRES_ACTION":
            return "Is it you?", "The bank asks the customer to authenticate. Nothing is paid until then.", ""
        case "SUCCEEDED":
            return "Paid", f"{price} were paid, as far as a sandbox pays.", "good"
        case "CANCELED":
            return "Canceled", payment.failure or "Nothing was paid.", "bad"
    again = " You can try again." if payment.is_open(now) else ""
    return "Declined", f"{payment.failure or 'The payment failed.'}{again}", "bad"


def _fill(part: str, **texts: str) -> str:
    return _PARTS[part].substitute({name: html.escape(text) for name, text in texts.items()})


def _frame(title: str, tone: str, parts: list[str], base: str) -> str:
    texts = {name: html.escape(text) for name, text in (("title", title), ("tone", tone), ("base", base))}
    return _PARTS["frame"].substitute(texts, main="\n".join(parts))
