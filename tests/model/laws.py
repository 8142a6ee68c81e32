"""The laws of the ledger, asked of the reference model after every step."""

from tests.model.ledger import Account


class LawBroken(AssertionError):
    """A law of the ledger does not hold; the message says which, and where."""


def check_laws(account: Account) -> None:
    """Conservation per account and per grant, holds and grants of one mind, no debt beside free credits."""
    balance, held = account.balance, account.held
    if account.entries:
        last = account.entries[-1]
        given = account.granted + account.given_back
        if not last.balance_after == balance == given - account.burned - account.expired - account.taken:
            raise LawBroken(f"per account: balance {balance}, last entry {last}")
        if last.held_after != held:
            raise LawBroken(f"per account: held {held}, last entry {last}")
    parts = dict.fromkeys(account.grants, 0)
    for hold in account.holds.values():
        if hold.left < 0 or (hold.status != "OPEN" and hold.left):
            raise LawBroken(f"hold: {hold}")
        for grant, part in hold.parts:
            parts[grant.number] += part
    for grant in account.grants.values():
        taken = grant.burned + grant.expired + grant.voided + grant.clawed_back
        if grant.begun and grant.amount + grant.given_back != grant.remaining + taken:
            raise LawBroken(f"per grant: {grant}")
        if not 0 <= grant.held <= grant.remaining or grant.held != parts[grant.number]:
            raise LawBroken(f"per grant, held: {grant}, its holds say {parts[grant.number]}")
        if grant.ended and grant.remaining != grant.held:
            raise LawBroken(f"an ended grant keeps more than its holds: {grant}")
    taken_in_all = account.burned + account.clawed_back
    if account.given_back > taken_in_all:
        raise LawBroken(f"more given back than burned and clawed back: {account.given_back} of {taken_in_all}")
    if account.overdraft < 0 or (account.overdraft and account.in_order()):
        raise LawBroken(f"debt: overdraft {account.overdraft} beside free credits {account.in_order()}")
