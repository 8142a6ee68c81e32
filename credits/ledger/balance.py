"""What a balance says, made from an account that is advanced to the instant asked for. PURE."""

from dataclasses import dataclass
from datetime import datetime

from credits.ledger.account import Account
from credits.ledger.burn_order import expiry


@dataclass(frozen=True, slots=True)
class Bucket:
    """Credits of one source that expire together. Micro-credits."""

    amount: int
    source: str
    expires_at: datetime | None


@dataclass(slots=True)
class Balance:
    """A customer's balance in one credit type at `as_of`. Amounts are micro-credits. Never changed; not `frozen`,
    which doubles what making one costs, and every answer makes one.

    `balance = granted − burned − expired + given_back − voided − clawed_back + adjusted`, lifetime totals, each gross.
    `version` is the sequence of the last entry; who shows balances drops what is older by `(version, as_of)`.
    """

    credit_type_id: int
    customer_id: int
    balance: int
    held: int
    overdraft_limit: int
    granted: int
    burned: int
    expired: int
    version: int
    as_of: datetime
    lots: tuple[tuple[str, datetime | None, int], ...]
    given_back: int = 0
    voided: int = 0
    clawed_back: int = 0
    adjusted: int = 0

    @property
    def available(self) -> int:
        """What can be spent now."""
        return self.balance - self.held

    @property
    def overdraft_left(self) -> int:
        """What of the overdraft limit is unused."""
        return self.overdraft_limit - max(0, -self.available)

    @property
    def buckets(self) -> list[Bucket]:
        """Soonest expiry first, never last; together they are the balance plus any overdraft."""
        grouped: dict[tuple[str, datetime | None], int] = {}
        for source, expires_at, remaining in self.lots:
            grouped[source, expires_at] = grouped.get((source, expires_at), 0) + remaining
        buckets = [Bucket(amount, source, expires_at) for (source, expires_at), amount in grouped.items()]
        return sorted(buckets, key=lambda bucket: (expiry(bucket.expires_at), bucket.source))


def balance_of(account: Account, as_of: datetime, overdraft_limit: int) -> Balance:
    """The balance of an account that has been advanced to `as_of`."""
    return Balance(
        credit_type_id=account.credit_type_id,
        customer_id=account.customer_id,
        balance=account.balance,
        held=account.held,
        overdraft_limit=overdraft_limit,
        granted=account.granted,
        burned=account.burned,
        expired=account.expired,
        version=account.sequence,
        as_of=as_of,
        lots=tuple(
            (grant.source, grant.expires_at, grant.remaining)
            for grant in account.grants.values()
            if grant.remaining and grant.state != "SCHEDULED"
        ),
        given_back=account.given_back,
        voided=account.voided,
        clawed_back=account.clawed_back,
        adjusted=account.adjusted,
    )
