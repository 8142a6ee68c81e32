"""Which commands are an operator's act, and what the audit log says of them. PURE.

Recorded in the transaction of the batch itself. A further kind of command that people give gets its case here.
"""

from collections.abc import Iterable

from credits import ids
from credits.amount import plain_micro
from credits.audit.log import Act
from credits.posting.commands import Command, GiveGrant
from credits.posting.outcomes import Answer, Granted, Replay


def acts_of(commands: Iterable[Command], answers: Iterable[Answer | Replay]) -> list[Act]:
    """The acts of a batch, in order. What was refused, and what a used key stands for already, is none."""
    return [
        _given(command, answer)
        for command, answer in zip(commands, answers, strict=True)
        if isinstance(command, GiveGrant) and command.by_hand and isinstance(answer, Granted)
    ]


def _given(command: GiveGrant, answer: Granted) -> Act:
    grant = answer.grant
    after = {
        "customer": ids.make("cus", answer.customer_id),
        "creditType": command.credit_type,
        "amount": plain_micro(grant.amount),
        "source": grant.source,
        "reason": grant.reason,
        "effectiveAt": grant.effective_at,
        "expiresAt": grant.expires_at,
    }
    number = ids.make("gra", answer.customer_id, answer.credit_type_id, grant.number)
    return Act(command.actor_id, "grant.given", number, None, after)
