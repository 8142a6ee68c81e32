"""What does not fit together waits for an operator, who says that it was seen to."""

from credits.errors import InvalidInput, NotFound
from credits.recharge import issues
from credits.recharge.reads import KeptIssue, list_issues
from credits.recharge.settle import Issue
from tests.credits.recharge.counter import Counter

UNKNOWN = Issue("UNKNOWN_ORDER", "nobody here knows the order", None, "top_x_1", event="evt_1")


async def test_an_issue_is_told_once_and_resolved_once_in_the_audit_log(counter: Counter):
    """S13."""
    place = counter.till.workspace_id
    for _ in range(3):
        await counter.cashier.report(place, UNKNOWN)
    async with counter.till.reader.changing(place) as page:
        (issue,) = await list_issues(page.connection, resolved=False)
        assert (issue.kind, issue.event, issue.customer_id) == ("UNKNOWN_ORDER", "evt_1", None)
        for note in ("", " ", "a\0", "x" * 2_001):
            assert isinstance(await issues.resolve(page, issue.id, note, actor_id=None), InvalidInput)
        assert isinstance(await issues.resolve(page, issue.id + 10**6, "n", actor_id=None), NotFound)
        first = await issues.resolve(page, issue.id, "paid by hand", actor_id=None)
        assert isinstance(first, KeptIssue)
        assert await issues.resolve(page, issue.id, "again", actor_id=None) == first
        assert (first.note, first.resolved_at is None) == ("paid by hand", False)
        assert await list_issues(page.connection, resolved=False) == []
        assert await list_issues(page.connection, resolved=True) == [first]
    await counter.cashier.report(place, UNKNOWN)
    rows = await counter.till.rows("SELECT count(*) AS n FROM payment_issues")
    assert rows[0]["n"] == 1, "what was seen to is not told again"
    acts = await counter.till.rows("SELECT subject, after FROM audit_log WHERE action = 'paymentIssue.resolved'")
    assert len(acts) == 1
