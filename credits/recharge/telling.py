"""What top-ups and rules tell for webhooks: that something was paid, or was not, and that a rule is suspended. In the
database transaction of the change.
"""

from typing import TYPE_CHECKING, Any

from credits import ids
from credits.amount import plain, plain_micro
from credits.catalog.currencies import from_minor
from credits.db import Runs
from credits.recharge.top_ups import TopUp
from credits.webhooks.messages import Message
from credits.webhooks.outbox import tell_along

if TYPE_CHECKING:
    from credits.recharge.rules import Rule

# read_names -- how a customer, a credit type and a bundle are called outside
_NAMES = """
SELECT c.key AS customer, t.key AS credit_type, b.key AS bundle FROM customers c, credit_types t, bundles b
 WHERE c.id = $1 AND t.id = $2 AND b.id = $3
"""


async def tell_of(runs: Runs, was: TopUp, top_up: TopUp) -> None:
    """Writes the message, where the change is one. A recharge has failed also where it was canceled: nobody is there who
    has changed their mind."""
    paid = top_up.is_paid and not was.is_paid
    if not (paid or _failed(was, top_up)):
        return
    data = {
        **await _named(runs, top_up),
        "topUp": top_up.id,
        "quantity": top_up.quantity,
        "credits": plain_micro(top_up.credits),
        "price": _money(top_up.price, top_up.currency),
        "status": top_up.status,
        "version": top_up.version,
    }
    if paid:
        data["grant"] = ids.make("gra", top_up.customer_id, top_up.credit_type_id, top_up.grant_number or 0)
    else:
        data |= {"failure": top_up.failure, "declineCode": top_up.decline_code}
    type_ = f"{'recharge' if top_up.automatic else 'topup'}.{'succeeded' if paid else 'failed'}"
    await tell_along(
        runs, [Message(top_up.workspace_id, type_, top_up.changed_at, top_up.id, data, top_up.customer_id)]
    )


async def tell_suspended(runs: Runs, workspace_id: int, rule: "Rule") -> None:
    """Writes that the rule buys nothing more, and why."""
    if rule.suspended_at is None:
        raise ValueError("the rule is not suspended")
    data = {
        **await _named(runs, rule),
        "threshold": plain_micro(rule.threshold),
        "monthlyCap": _money(rule.cap, rule.currency),
        "reason": rule.suspended_reason,
        "failures": rule.failures,
        "version": rule.version + 1,  # what this change makes it
    }
    fact = f"{ids.make('cus', rule.customer_id, rule.credit_type_id)} {rule.version + 1}"
    await tell_along(
        runs, [Message(workspace_id, "recharge.suspended", rule.suspended_at, fact, data, rule.customer_id)]
    )


def _failed(was: TopUp, top_up: TopUp) -> bool:
    if top_up.automatic:
        return was.is_open and top_up.status in ("FAILED", "CANCELED")
    return top_up.status == "FAILED" and was.status != "FAILED"


async def _named(runs: Runs, of: "TopUp | Rule") -> dict[str, Any]:
    names = await runs.fetchrow(_NAMES, of.customer_id, of.credit_type_id, of.bundle_id)
    assert names is not None  # noqa: S101 -- it points to them
    return {
        "customer": names["customer"],
        "customerId": ids.make("cus", of.customer_id),
        "creditType": names["credit_type"],
        "bundle": names["bundle"],
    }


def _money(minor: int, currency: str) -> dict[str, str]:
    return {"amount": plain(from_minor(minor, currency)), "currency": currency}
