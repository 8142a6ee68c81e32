"""Top-ups on the real database: ordered, asked for, paid, refused; each exactly once."""

from credits.amount import MICRO
from credits.ledger.entries import Kind
from credits.recharge.top_ups import TopUp
from tests.credits.recharge.counter import Counter


async def test_what_is_paid_becomes_one_grant_with_its_sale_beside_it(counter: Counter):
    started = await counter.start(quantity=2)
    assert (started.status, started.checkout_url) == ("PENDING", "https://bank.test/pay/1")
    assert await counter.till.available() == 0
    counter.bank.pay(started.id)
    for _ in range(3):
        paid = await counter.look(started)
    assert (paid.status, paid.paid, paid.grant_number, paid.checkout_url) == ("SUCCEEDED", 2000, 1, None)
    assert paid.look_at is None
    (grant,) = await counter.till.rows("SELECT *, expires_at - effective_at AS life FROM grants")
    assert (grant["amount"], grant["source"], grant["priority"], grant["life"].days) == (
        2200 * MICRO,
        "PURCHASE",
        40,
        30,
    )
    assert (str(grant["cost_amount"]), grant["cost_currency"]) == ("0.009090909091", "EUR")
    assert await counter.kinds() == [Kind.GRANT]
    assert await counter.movements() == [("SALE", 2000)]
    assert await counter.till.available() == 2200
    assert isinstance(paid, TopUp)
    await counter.till.check()
