"""What the hub carries: which accounts and which configurations have a newer version. Pure.

Ids and versions only, nothing of a customer's: whoever is woken reads again under its own rights.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeVar

import orjson

PAYLOAD_BYTES_MAX = 7_900  # PostgreSQL refuses a NOTIFY of 8,000 bytes
CHANGES_MAX = 100_000  # beyond it (a broker that is away for long) the news is "everything": memory stays flat

AccountKey = tuple[int, int, int]  # workspace id, customer id, credit type id
Key = TypeVar("Key")


def keep_newest(into: dict[Key, int], news: dict[Key, int]) -> None:
    """Take the versions of `news` into `into`; the newest wins, whatever the order of arrival."""
    if not into:
        into.update(news)  # the usual case, and many times faster
        return
    for key, version in news.items():
        known = into.get(key)
        if known is None or known < version:
            into[key] = version


@dataclass(slots=True)
class Changes:
    """The newest version known of each thing that changed; older ones are not kept.

    `configurations` is by workspace id. `everything`: what changed is unknown, so everything may have.
    """

    accounts: dict[AccountKey, int] = field(default_factory=dict)
    configurations: dict[int, int] = field(default_factory=dict)
    everything: bool = False

    def __bool__(self) -> bool:
        return bool(self.accounts or self.configurations or self.everything)

    def add(self, other: "Changes") -> None:
        """Take in other news. Never grows beyond CHANGES_MAX: what is too much to list becomes `everything`."""
        keep_newest(self.accounts, other.accounts)
        keep_newest(self.configurations, other.configurations)
        self.everything = self.everything or other.everything
        if self.everything or len(self.accounts) + len(self.configurations) > CHANGES_MAX:
            self.accounts, self.configurations, self.everything = {}, {}, True


class Window:
    """Coalescing: what is offered after quiet may go at once, the rest waits for the end of the window, newest wins.

    Whoever owns it calls `turn` at the end of each window; a key is thus taken once per window at most, and the
    last version offered is always taken.
    """

    __slots__ = ("_due", "_held", "_sent")

    def __init__(self) -> None:
        self._due: dict[AccountKey, int] = {}
        self._held: dict[AccountKey, int] = {}
        self._sent: set[AccountKey] = set()

    def offer(self, key: AccountKey, version: int) -> bool:
        """True where it may go at once."""
        waiting = self._held if key in self._sent else self._due
        known = waiting.get(key)
        if known is None or known < version:
            waiting[key] = version
        return waiting is self._due

    def take(self) -> dict[AccountKey, int]:
        """What may go now; until the next `turn` these keys are held."""
        due, self._due = self._due, {}
        self._sent.update(due)
        return due

    def turn(self) -> bool:
        """End the window: what was held may go. True where anything may."""
        self._sent.clear()
        keep_newest(self._due, self._held)
        self._held.clear()
        return bool(self._due)

    @property
    def quiet(self) -> bool:
        """Nothing was taken since the last `turn`: no window is running."""
        return not self._sent


def payload_prefix(sender: str) -> str:
    """How every payload of this sender begins: an echo is known without parsing it."""
    return f'{{"from":"{sender}",'


def encode(sender: str, changes: Changes) -> list[str]:
    """The changes as ASCII payloads of at most PAYLOAD_BYTES_MAX bytes each."""
    prefix = payload_prefix(sender)
    if changes.everything:
        return [prefix + '"everything":true}']
    accounts = (f"{key[0]},{key[1]},{key[2]},{version}" for key, version in changes.accounts.items())
    configurations = (f"{workspace},{version}" for workspace, version in changes.configurations.items())
    return [*_pack(prefix + '"accounts":[', accounts), *_pack(prefix + '"configurations":[', configurations)]


def _pack(head: str, rows: Iterator[str]) -> Iterator[str]:
    room = PAYLOAD_BYTES_MAX - len(head) - len("]}")
    packed: list[str] = []
    used = 0
    for row in rows:
        if packed and used + len(row) + 1 > room:
            yield head + ",".join(packed) + "]}"
            packed, used = [], 0
        packed.append(row)
        used += len(row) + 1
    if packed:
        yield head + ",".join(packed) + "]}"


def decode(payload: str) -> Changes:
    """What a payload says. One that cannot be read (of a newer release, say) may have said anything: `everything`."""
    try:
        message = orjson.loads(payload)
        accounts, configurations = message.get("accounts", []), message.get("configurations", [])
        if all(type(number) is int for number in (*accounts, *configurations)) and not message.get("everything"):
            quads = iter(accounts)
            pairs = iter(configurations)
            return Changes(
                {(w, c, t): v for w, c, t, v in zip(quads, quads, quads, quads, strict=True)},
                dict(zip(pairs, pairs, strict=True)),
            )
    except (ValueError, TypeError, AttributeError):
        pass
    return Changes(everything=True)
