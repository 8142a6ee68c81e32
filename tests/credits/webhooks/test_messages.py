"""What a message says, by which name a receiver knows it again, who may want it; signatures and retries."""

import base64
import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from credits import bounds
from credits.webhooks.messages import TYPES, Message, Wanted, events_form, in_order, packed, public_id
from credits.webhooks.retries import delay, retry_after, taken
from credits.webhooks.signing import secret_of, valid_salts

AT = datetime(2026, 3, 1, 13, 0, 0, 120, tzinfo=timezone(timedelta(hours=1)))
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def message(**more: object) -> Message:
    return Message(**{"workspace_id": 1, "type": "hold.lapsed", "at": AT, "fact": "hld_1", "data": {"a": "1"}, **more})  # type: ignore[arg-type]


def test_the_body_says_type_timestamp_and_data_with_instants_in_utc():
    told = json.loads(message(data={"customer": "acmé", "expiresAt": AT, "amount": "0.5"}).body)
    utc = "2026-03-01T12:00:00.000120Z"
    data = {"customer": "acmé", "expiresAt": utc, "amount": "0.5"}
    assert told == {"type": "hold.lapsed", "timestamp": utc, "data": data}


def test_the_same_fact_has_the_same_id_and_any_other_another():
    one = public_id(message().key)
    assert one.startswith("msg_")
    assert public_id(message(data={}, at=NOW).key) == one
    others = [message(fact="hld_2"), message(type="grant.created"), message(workspace_id=2)]
    assert len({one, *(public_id(each.key) for each in others)}) == 4


@pytest.mark.parametrize("events", [["grant.created"], ["*"], ["*", "balance.low"], list(TYPES)])
def test_known_events_can_be_wanted(events: list[str]):
    assert events_form(events) is None


@pytest.mark.parametrize("events", [[], ["grant.creatd"], ["grant.created", "x"], ["GRANT.CREATED"], [""], ["grant.*"]])
def test_unknown_events_and_none_are_refused_naming_the_field(events: list[str]):
    problem = events_form(events)
    assert problem is not None
    assert problem.field == "events"
    assert all(repr(name) in problem.message for name in events if name not in TYPES)


def test_what_is_wanted_is_kept_once_and_in_order():
    assert in_order(["hold.lapsed", "grant.created", "hold.lapsed", "*"]) == ["*", "grant.created", "hold.lapsed"]
    assert "grant.created" not in Wanted.by([["hold.lapsed"], ["balance.low"]])
    assert all(type_ in Wanted.by([["hold.lapsed"], ["*"]]) for type_ in TYPES)
    assert not Wanted.by([])


def test_messages_travel_in_order():
    assert [each["position"] for each in json.loads(packed([message(), message(fact="x")]))] == [0, 1]


# ─── signatures ────────────────────────────────────────────────────────────────────────────────────
def test_a_secret_is_one_of_standard_webhooks_and_follows_from_salt_and_key_alone():
    secret = secret_of(b"salt", "pepper")
    assert secret.startswith("whsec_")
    assert 24 <= len(base64.b64decode(secret.removeprefix("whsec_"))) <= 64
    assert secret == secret_of(b"salt", "pepper")
    assert len({secret, secret_of(b"other", "pepper"), secret_of(b"salt", "other")}) == 3
    now = datetime.now(UTC)
    signed = Webhook(secret).sign("msg_1", now, "{}")
    headers = {"webhook-id": "msg_1", "webhook-timestamp": str(int(now.timestamp())), "webhook-signature": signed}
    assert Webhook(secret).verify("{}", headers) == {}


def test_after_a_rotation_both_secrets_sign_for_a_day():
    assert valid_salts(b"a", None, None, NOW) == [b"a"]
    assert valid_salts(b"b", b"a", NOW, NOW) == [b"b", b"a"]
    assert valid_salts(b"b", b"a", NOW, NOW + timedelta(hours=24) - timedelta(microseconds=1)) == [b"b", b"a"]
    assert valid_salts(b"b", b"a", NOW, NOW + timedelta(hours=24)) == [b"b"]


# ─── retries ───────────────────────────────────────────────────────────────────────────────────────
@given(step=st.integers(0, 8), draw=st.integers(0, 2**32 - 1))
def test_a_retry_comes_any_time_up_to_its_delay(step: int, draw: int):
    found = delay(bounds.WEBHOOK_RETRIES, step, draw)
    assert found is not None
    assert timedelta(0) <= found < bounds.WEBHOOK_RETRIES[step]


def test_retries_go_on_for_days_and_then_end():
    assert sum(bounds.WEBHOOK_RETRIES, timedelta(0)) > timedelta(days=3)
    assert delay(bounds.WEBHOOK_RETRIES, len(bounds.WEBHOOK_RETRIES), 0) is None
    for step, longest in enumerate(bounds.WEBHOOK_RETRIES):
        most = delay(bounds.WEBHOOK_RETRIES, step, 2**32 - 1)
        assert most is not None
        assert longest * 0.999 < most < longest


def test_a_receiver_that_asks_for_patience_gets_it_within_bounds():
    schedule = [timedelta(seconds=5)]
    assert delay(schedule, 0, 0, not_before=timedelta(minutes=2)) == timedelta(minutes=2)
    assert delay(schedule, 0, 0, not_before=timedelta(days=400)) == bounds.WEBHOOK_RETRY_AFTER_MAX
    assert delay(schedule, 1, 0, not_before=timedelta(minutes=2)) is None


@pytest.mark.parametrize(
    ("header", "asked"),
    [
        (None, timedelta(0)),
        ("", timedelta(0)),
        ("120", timedelta(seconds=120)),
        (" 7 ", timedelta(seconds=7)),
        ("-5", timedelta(0)),
        ("1.5", timedelta(0)),
        ("soon", timedelta(0)),
        ("٣", timedelta(0)),
        ("9" * 400, bounds.WEBHOOK_RETRY_AFTER_MAX),
        ("Thu, 01 Jan 2026 00:01:00 GMT", timedelta(minutes=1)),
        ("Wed, 31 Dec 2025 00:00:00 GMT", timedelta(0)),
        ("Thu, 99 Jan 2026 00:01:00 GMT", timedelta(0)),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, asked: timedelta):
    assert retry_after(header, NOW) == asked


def test_2xx_alone_is_taken():
    assert [status for status in range(100, 600) if taken(status)] == list(range(200, 300))
