"""Stripe's events: which of them concern us, and what they are about. PURE.

An event is a hint where to look, never the truth: its object may be old, and whoever has stolen a webhook secret can write
one. What it names is read again from Stripe before anything happens.
"""

from dataclasses import dataclass

from credits import ids
from credits.recharge.top_ups import Place, place_of
from server.stripe_gateway.truth import CUSTOMER, TOP_UP, WORKSPACE, Json, identity

MONEY = (
    "checkout.session.completed",
    "checkout.session.async_payment_succeeded",
    "checkout.session.async_payment_failed",
    "checkout.session.expired",
    "payment_intent.succeeded",
    "payment_intent.payment_failed",
    "payment_intent.canceled",
    "payment_intent.requires_action",
    "refund.created",
    "refund.updated",
    "refund.failed",
    "charge.dispute.created",
    "charge.dispute.updated",
    "charge.dispute.closed",
)
METHODS = (
    "setup_intent.succeeded",
    "payment_method.attached",
    "payment_method.detached",
    "payment_method.updated",
    "payment_method.automatically_updated",
    "customer.updated",
)
LISTED = (*MONEY, *METHODS)  # Stripe's list takes 20 types at most
# What comes by webhook besides, where an endpoint was set up for it, says nothing that these do not.
ALSO = (
    "charge.refunded",
    "charge.refund.updated",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.funds_reinstated",
)
# What says of an order that it is paid by this session or payment intent, and nothing else.
PAID = frozenset(("checkout.session.completed", "checkout.session.async_payment_succeeded", "payment_intent.succeeded"))
ACTED = frozenset((*LISTED, *ALSO))


@dataclass(frozen=True, slots=True)
class Ours:
    """What our metadata say: the workspace, and an order, or else a customer."""

    workspace_id: int
    order_id: str | None
    customer_id: int | None

    @property
    def place(self) -> Place | None:
        return place_of(self.order_id) if self.order_id is not None else None


@dataclass(frozen=True, slots=True)
class Behind:
    """Nothing of ours on it. What it belongs to may have our metadata: a payment intent, or a customer of Stripe's."""

    intent: str | None
    customer: str | None


def about(event: Json) -> Ours | Behind | None:
    """What the event is about; None: nothing that could be ours."""
    item = event["data"]["object"]
    ours = ours_of(item)
    if event["type"] in METHODS:
        if ours is not None:
            return Ours(ours.workspace_id, None, ours.customer_id) if ours.customer_id is not None else None
        before = event["data"].get("previous_attributes") or {}
        customer = identity(item.get("customer")) or identity(before.get("customer"))
        return Behind(None, customer) if customer else None
    if ours is not None and ours.order_id is not None:
        return ours
    intent = item["id"] if item.get("object") == "payment_intent" else identity(item.get("payment_intent"))
    # Its own metadata say that it is of nobody: a payment intent carries them itself.
    if intent is None or item.get("object") in ("payment_intent", "checkout.session"):
        return None
    return Behind(intent, None)


def ours_of(item: Json | None) -> Ours | None:
    """What our metadata on an object say; None where there are none, or none that we write."""
    metadata = (item or {}).get("metadata") or {}
    workspace, customer, order = metadata.get(WORKSPACE), metadata.get(CUSTOMER), metadata.get(TOP_UP)
    if not isinstance(workspace, str) or not (workspace.isascii() and workspace.isdigit()) or len(workspace) > 9:
        return None
    numbers = ids.parse("cus", customer, 1) if isinstance(customer, str) else None
    return Ours(int(workspace), order if isinstance(order, str) else None, numbers[0] if numbers else None)
