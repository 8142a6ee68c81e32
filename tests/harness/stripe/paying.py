"""The calls that most of these tests begin with."""

from typing import Any

import stripe

Json = dict[str, Any]


async def kept_card(client: stripe.StripeClient, card: str = "pm_card_visa") -> tuple[str, str]:
    """A customer, and a card that they keep: (customer, payment method)."""
    customer = await client.v1.customers.create_async({"email": "ada@example.com"})
    method = await client.v1.payment_methods.attach_async(card, {"customer": customer.id})
    return customer.id, method.id


def charge_of(customer: str, method: str, order: str = "o1", **more: Any) -> Json:
    """The parameters of a charge while the customer is away."""
    return {
        "amount": 1000,
        "currency": "usd",
        "customer": customer,
        "payment_method": method,
        "confirm": True,
        "off_session": True,
        "metadata": {"order": order},
        **more,
    }


def session_of(order: str = "o1", *, currency: str = "usd", amount: int = 1000, **more: Any) -> Json:
    """The parameters of a page on which to pay for `order`."""
    price = {"currency": currency, "unit_amount": amount, "product_data": {"name": "Credits"}}
    return {
        "mode": "payment",
        "success_url": "https://shop.example/done?session={CHECKOUT_SESSION_ID}",
        "cancel_url": "https://shop.example/back",
        "line_items": [{"price_data": price, "quantity": 1}],
        "payment_intent_data": {"metadata": {"order": order}},
        "metadata": {"order": order},
        **more,
    }


async def charged(client: stripe.StripeClient, order: str = "o1", **more: Any) -> Any:
    """A charge that succeeded, of a new customer."""
    customer, method = await kept_card(client)
    intent = await client.v1.payment_intents.create_async(
        {**charge_of(customer, method, order, **more), "expand": ["latest_charge"]}
    )
    return intent.latest_charge
