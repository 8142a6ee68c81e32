"""What top-ups tell for webhooks: that one was paid, or was not. In the database transaction of the change.

Of recharges the rule tells.
"""

from credits import ids
from credits.amount import plain, plain_micro
from credits.catalog.currencies import from_minor
from credits.db import Runs
from credits.recharge.top_ups import TopUp
from credits.webhooks.messages import Message
from credits.webhooks.outbox import tell_along

# read_names -- how a customer, a credit type and a bundle are called outside
_NAMES = """
SELECT c.key AS customer, t.key AS credit_type, b.key AS bundle FROM customers c, credit_types t, bundles b
 WHERE c.id = $1 AND t.id = $2 AND b.id = $3
"""


async def tell_of(runs: Runs, was: TopUp, top_up: TopUp) -> None:
    """Writes the message, where the change is one."""
    paid = top_up.is_paid and not was.is_paid
    if top_up.automatic or not (paid or (top_up.status == "FAILED" and was.status != "FAILED")):
        return
    names = await runs.fetchrow(_NAMES, top_up.customer_id, top_up.credit_type_id, top_up.bundle_id)
    assert names is not None  # noqa: S101 -- it points to them
    data = {
        "customer": names["customer"],
        "customerId": ids.make("cus", top_up.customer_id),
        "topUp": top_up.id,
        "creditType": names["credit_type"],
        "bundle": names["bundle"],
        "quantity": top_up.quantity,
        "credits": plain_micro(top_up.credits),
        "price": {"amount": plain(from_minor(top_up.price, top_up.currency)), "currency": top_up.currency},
        "status": top_up.status,
        "version": top_up.version,
    }
    if paid:
        data["grant"] = ids.make("gra", top_up.customer_id, top_up.credit_type_id, top_up.grant_number or 0)
    else:
        data |= {"failure": top_up.failure, "declineCode": top_up.decline_code}
    type_ = "topup.succeeded" if paid else "topup.failed"
    await tell_along(
        runs, [Message(top_up.workspace_id, type_, top_up.changed_at, top_up.id, data, top_up.customer_id)]
    )
