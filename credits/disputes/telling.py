"""What webhooks are told of a dispute. PURE."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from credits import ids
from credits.webhooks.messages import Message


@dataclass(frozen=True, slots=True)
class Told:
    """Which dispute it is: customer and credit type by their keys, too. `version` as of what is told."""

    workspace_id: int
    customer: str
    credit_type: str
    customer_id: int
    number: int
    version: int


def told_of(type_: str, at: datetime, dispute: Told, what: Mapping[str, Any]) -> Message:
    """`dispute.opened` or `dispute.resolved`. What the customer and the operators wrote in it is no part of a message."""
    name = ids.make("dsp", dispute.customer_id, dispute.number)
    data = {
        "customer": dispute.customer,
        "customerId": ids.make("cus", dispute.customer_id),
        "creditType": dispute.credit_type,
        "dispute": name,
        **what,
        "version": dispute.version,
    }
    return Message(dispute.workspace_id, type_, at, name, data, dispute.customer_id)
