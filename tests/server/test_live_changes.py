from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.live_changes import CHANGES_MAX, PAYLOAD_BYTES_MAX, Changes, Window, decode, encode, payload_prefix

IDS = st.integers(0, 2**31 - 1)
VERSIONS = st.integers(0, 2**63 - 1)
CHANGES = st.builds(
    Changes,
    st.dictionaries(st.tuples(IDS, st.integers(0, 2**63 - 1), IDS), VERSIONS, max_size=1_000),
    st.dictionaries(IDS, VERSIONS, max_size=1_000),
)


@given(CHANGES)
def test_payloads_fit_into_a_notify_and_together_say_everything(changes: Changes) -> None:
    payloads = encode("0a1b2c3d", changes)

    read = Changes()
    for payload in payloads:
        assert len(payload.encode("ascii")) <= PAYLOAD_BYTES_MAX < 8_000
        assert payload.startswith(payload_prefix("0a1b2c3d"))
        assert decode(payload)
        read.add(decode(payload))
    assert read == changes


def test_a_flood_of_nine_thousand_bytes_becomes_two_payloads() -> None:
    changes = Changes({(1, customer, 1): 1 for customer in range(100_000, 100_000 + 9_000 // len("1,100000,1,1,"))})
    assert len(encode("0a1b2c3d", changes)) == 2


def test_nothing_to_say_is_no_payload() -> None:
    assert encode("0a1b2c3d", Changes()) == []


@pytest.mark.parametrize(
    "payload",
    [
        "",
        "hello",
        "null",
        "[]",
        '{"from":"x","everything":true}',
        '{"accounts":[1,2,3]}',
        '{"accounts":[1,2,3,4,5]}',
        '{"accounts":[1,2,3,"4"]}',
        '{"accounts":[1,2,3,null]}',
        '{"accounts":[1,2,3,true]}',
        '{"accounts":[[1,2,3,4]]}',
        '{"accounts":7}',
        '{"configurations":[1]}',
        '{"accounts":[1,2,3,4]',
    ],
)
def test_what_cannot_be_read_may_have_said_anything(payload: str) -> None:
    assert decode(payload) == Changes(everything=True)


@given(CHANGES, CHANGES)
def test_the_newest_version_wins_in_whatever_order_news_come(one: Changes, other: Changes) -> None:
    forth, back = Changes(), Changes()
    for news, both in ((one, other), forth), ((other, one), back):
        for each in news:
            both.add(each)
    assert forth == back
    assert all(version >= one.accounts.get(key, 0) for key, version in forth.accounts.items())


def test_too_much_to_list_is_everything_and_takes_no_room() -> None:
    changes = Changes({(1, customer, 1): 1 for customer in range(CHANGES_MAX)})
    changes.add(Changes(configurations={1: 1}))
    assert changes == Changes(everything=True)

    changes.add(Changes({(1, 1, 1): 1}))
    assert changes == Changes(everything=True)
    assert len(encode("0a1b2c3d", changes)) == 1


KEY, OTHER = (1, 1, 1), (1, 2, 1)


def test_the_first_after_quiet_may_go_at_once_and_the_last_always_goes() -> None:
    window = Window()
    assert window.offer(KEY, 1)
    assert window.take() == {KEY: 1}
    for version in (2, 4, 3):
        assert not window.offer(KEY, version), "the window still runs"
    assert window.offer(OTHER, 1), "another account is not held up by it"
    assert window.take() == {OTHER: 1}

    assert window.turn()
    assert window.take() == {KEY: 4}

    assert not window.turn()
    assert window.quiet
    assert window.offer(KEY, 5)


STEPS: dict[str, Callable[[Window], object]] = {"take": Window.take, "turn": Window.turn}


@given(st.lists(st.sampled_from([*STEPS, "offer", "offer other"])))
def test_each_account_goes_once_a_window_at_most_and_ends_with_its_last_version(steps: list[str]) -> None:
    window = Window()
    taken_in_window: list[tuple[int, int, int]] = []
    last: dict[tuple[int, int, int], int] = {}
    gone: dict[tuple[int, int, int], int] = {}
    for version, step in enumerate([*steps, "turn", "take"]):
        if step.startswith("offer"):
            key = KEY if step == "offer" else OTHER
            last[key] = version
            window.offer(key, version)
        elif step == "turn":
            window.turn()
            taken_in_window.clear()
        else:
            taken = window.take()
            taken_in_window += taken
            assert len(set(taken_in_window)) == len(taken_in_window)
            assert all(version > gone.get(key, -1) for key, version in taken.items())
            gone.update(taken)
    assert gone == last
