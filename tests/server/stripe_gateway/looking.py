"""What the fake has, and an order as it is known."""

from dataclasses import replace


def known(order, payment):
    """The order with the ids that the payment has told."""
    return replace(
        order,
        session=payment.session,
        payment=payment.payment,
        payer=replace(order.payer, provider_id=payment.payer_id),
    )


KINDS = {"cs": "checkout.session", "pi": "payment_intent", "cus": "customer", "ch": "charge"}


def get(fake, identity):
    """The object of that id, as the fake has it."""
    return next(each for each in fake.objects(KINDS[identity.split("_")[0]]) if each["id"] == identity)


def payback_of(order):
    """Our id of the order's refund."""
    return order.id.replace("top", "pbk") + "_1"


def money(fake, order):
    return fake.money("scrip_top_up").get(order.id)


def objects(fake, kind, order):
    """What there is of the kind that names the order."""
    return [each for each in fake.objects(kind) if (each.get("metadata") or {}).get("scrip_top_up") == order.id]


async def paid_order(fake, gateway, order):
    """The order, paid by checkout, with its ids."""
    started = await gateway.start(order)
    fake.pay(started.session)
    return known(order, await gateway.read(known(order, started)))
