"""What Stripe is asked for: the parameters of each request. PURE.

An order's parameters are the same whenever it is asked for, as an idempotency key wants it: everything in them comes from
the stored order. Metadata name our order on everything that is made for it, so that it is found again by them alone.
"""

from datetime import timedelta
from urllib.parse import parse_qsl, urlencode, urlsplit

from credits import ids
from credits.recharge.provider import Order, Payer
from server.stripe_gateway.truth import CUSTOMER, REFUND, TOP_UP, WORKSPACE, Json

# Stripe ends a checkout at most 24 h after it was made. An order is asked for until KEYS_LIVE; then this is still ahead.
CHECKOUT_LIVES = timedelta(hours=23, minutes=55)
# Stripe forgets an idempotency key after 24 h at the earliest. With a margin for clocks and for what is on its way.
KEYS_LIVE = timedelta(hours=23)

# What Checkout speaks: https://docs.stripe.com/api/checkout/sessions/create
_LOCALES = frozenset(
    [
        "bg",
        "cs",
        "da",
        "de",
        "el",
        "en",
        "en-GB",
        "es",
        "es-419",
        "et",
        "fi",
        "fil",
        "fr",
        "fr-CA",
        "hi-IN",
        "hr",
        "hu",
        "id",
        "it",
        "ja",
        "ko",
        "lt",
        "lv",
        "ms",
        "mt",
        "nb",
        "nl",
        "pl",
        "pt",
        "pt-BR",
        "ro",
        "ru",
        "sk",
        "sl",
        "sv",
        "th",
        "tr",
        "vi",
        "zh",
        "zh-HK",
        "zh-TW",
    ]
)

# What Stripe counts otherwise than in ISO 4217's smallest unit: ariary whole, shillings in hundredths that there are none of.
# In our unit, Stripe would take a hundred times the price, or a hundredth of it: https://docs.stripe.com/currencies
COUNTED_OTHERWISE = frozenset({"MGA", "UGX"})


def customer_id_of(payer: Payer) -> str:
    """Our public id of the customer."""
    return ids.make("cus", payer.customer_id)


def payer_metadata(payer: Payer) -> dict[str, str]:
    return {WORKSPACE: str(payer.workspace_id), CUSTOMER: customer_id_of(payer)}


def order_metadata(order: Order) -> dict[str, str]:
    return {TOP_UP: order.id, **payer_metadata(order.payer)}


def about_payer(payer: Payer) -> Json:
    """What the customer's receipt says."""
    said: Json = {"name": payer.name[:256]}
    if payer.email:
        said["email"] = payer.email
    if payer.locale:
        said["preferred_locales"] = [payer.locale]
    return said


def checkout(order: Order, customer: str, return_url: str, *, tax: bool) -> Json:
    """A hosted checkout of the order. The customer may tick Stripe's box to have the method kept; nobody ticks it for them."""
    metadata = order_metadata(order)
    price: Json = {
        "currency": order.currency.lower(),
        "unit_amount": order.unit_price,
        "product_data": {"name": order.name[:250] or "Credits"},
    }
    asked: Json = {
        "mode": "payment",
        "customer": customer,
        "client_reference_id": order.id,
        "line_items": [{"price_data": price, "quantity": order.quantity}],
        "metadata": metadata,
        "payment_intent_data": {"metadata": metadata, "description": f"{order.name[:250]} ({order.id})"},
        "saved_payment_method_options": {"payment_method_save": "enabled"},
        "success_url": with_result(return_url, order.id, "success"),
        "cancel_url": with_result(return_url, order.id, "canceled"),
        "expires_at": int((order.created_at + CHECKOUT_LIVES).timestamp()),
        "locale": locale_of(order.payer.locale),
    }
    if tax:
        price["tax_behavior"] = "exclusive"  # the price is before tax; it is what credits are given for
        asked["automatic_tax"] = {"enabled": True}
        asked["customer_update"] = {"address": "auto", "name": "auto"}  # an address is what tax is computed from
    return asked


def element(order: Order, customer: str) -> Json:
    """A payment intent for Stripe's Payment Element on the host's page."""
    return {**_intent(order, customer), "automatic_payment_methods": {"enabled": True}}


def off_session(order: Order, customer: str) -> Json:
    """A charge with nobody there. Never a redirect: there is nobody to follow it."""
    return {
        **_intent(order, customer),
        "payment_method": order.method,
        "confirm": True,
        "off_session": True,
        "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
        "expand": ["latest_charge"],
    }


def _intent(order: Order, customer: str) -> Json:
    return {
        "amount": order.price,
        "currency": order.currency.lower(),
        "customer": customer,
        "metadata": order_metadata(order),
        "description": f"{order.name[:250]} ({order.id})",
    }


def refund(order: Order, payment: str, refund_id: str, amount: int, reason: str) -> Json:
    """`reason` is a reason code of ours, kept beside it: Stripe knows three of its own, and `fraudulent` blocks a card."""
    return {
        "payment_intent": payment,
        "amount": amount,
        "reason": "requested_by_customer",
        "metadata": {**order_metadata(order), REFUND: refund_id, "scrip_reason": reason[:500]},
    }


def set_up_checkout(payer: Payer, customer: str, return_url: str) -> Json:
    """Cards alone: what is charged with nobody there must answer at once."""
    metadata = payer_metadata(payer)
    return {
        "mode": "setup",
        "customer": customer,
        "allowed_payment_method_types": ["card"],
        "metadata": metadata,
        "setup_intent_data": {"metadata": metadata},
        "success_url": _with(return_url, scrip_setup="success"),
        "cancel_url": _with(return_url, scrip_setup="canceled"),
        "locale": locale_of(payer.locale),
    }


def set_up_element(payer: Payer, customer: str) -> Json:
    return {
        "customer": customer,
        "usage": "off_session",
        "allowed_payment_method_types": ["card"],
        "metadata": payer_metadata(payer),
    }


def locale_of(wanted: str | None) -> str:
    """The nearest that Checkout speaks; `auto`, what the browser says, where there is none."""
    if not wanted:
        return "auto"
    tag = wanted.replace("_", "-")
    exact = next((known for known in _LOCALES if known.lower() == tag.lower()), None)
    if exact:
        return exact
    language = tag.split("-", maxsplit=1)[0].lower()
    return language if language in _LOCALES else "auto"


def with_result(return_url: str, order_id: str, result: str) -> str:
    """Where Stripe sends the customer back to. What it says is for the page to look at; nobody is credited for it."""
    return _with(return_url, scrip_top_up=order_id, scrip_result=result)


def _with(url: str, **said: str) -> str:
    parts = urlsplit(url)
    query = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if name not in said]
    return parts._replace(query=urlencode([*query, *said.items()])).geturl()
