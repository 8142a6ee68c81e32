"""Webhooks that should not be believed, each with one thing wrong."""

import secrets
from dataclasses import dataclass

import orjson

from tests.harness.stripe.book import Json

BADLY_SIGNED = ("wrong_secret", "altered_body", "v0", "old_timestamp", "far_future")
WELL_SIGNED = ("other_livemode", "other_account", "invented")  # the signature is right, the event is not for us
KINDS = (*BADLY_SIGNED, *WELL_SIGNED)
TEN_YEARS_S = 10 * 365 * 86400
PAID = {
    "checkout.session": ("checkout.session.completed", {"status": "complete", "payment_status": "paid"}),
    "payment_intent": ("payment_intent.succeeded", {"status": "succeeded"}),
    "charge": ("charge.succeeded", {"status": "succeeded", "paid": True}),
}


@dataclass(frozen=True)
class Forged:
    event: Json
    secret: str = ""  # "": the true ones
    ahead_s: int = 0
    scheme: str = "v1"


def make(kind: str, event: Json) -> Forged:
    """Badly signed ones bear the true event's id, as who spoils it would; the others have ids of their own."""
    copy = orjson.loads(orjson.dumps(event))
    if kind in WELL_SIGNED:
        copy["id"] = f"evt_{secrets.token_hex(12)}"
    match kind:
        case "wrong_secret":
            return Forged(copy, secret="whsec_" + secrets.token_hex(16))
        case "altered_body":
            return Forged(copy)
        case "v0":
            return Forged(copy, scheme="v0")
        case "old_timestamp":
            return Forged(copy, ahead_s=-301)
        case "far_future":
            return Forged(copy, ahead_s=TEN_YEARS_S)
        case "other_livemode":
            copy["livemode"] = copy["data"]["object"]["livemode"] = not copy["livemode"]
        case "other_account":
            copy["account"] = f"acct_{secrets.token_hex(8)}"
        case "invented":
            copy = invented(copy)
        case _:
            raise ValueError(f"no forgery {kind}; there are {', '.join(KINDS)}")
    return Forged(copy)


def invented(event: Json) -> Json:
    """Says of the event's object that it was paid, whatever it is; what cannot be paid is a payment nobody made."""
    item = event["data"]["object"]
    if item["object"] not in PAID:
        item |= {"object": "payment_intent", "id": f"pi_{secrets.token_hex(12)}", "amount": 100_000, "currency": "usd"}
        item.setdefault("metadata", {})
    name, paid = PAID[item["object"]]
    item |= paid
    if item["object"] == "payment_intent":
        item["amount_received"] = item["amount"]
    event["type"] = name
    return event


def after(kind: str, payload: bytes) -> bytes:
    """What is done to the body after it was signed."""
    if kind != "altered_body":
        return payload
    changed = orjson.loads(payload)
    item = changed["data"]["object"]
    for name in ("amount", "amount_total", "amount_received"):
        if isinstance(item.get(name), int):
            item[name] *= 100
    item["metadata"] = {**(item.get("metadata") or {}), "altered": "yes"}
    return orjson.dumps(changed, option=orjson.OPT_INDENT_2)
