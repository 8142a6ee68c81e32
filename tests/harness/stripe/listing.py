"""Lists with cursors, searches, and expanding ids into their objects."""

import re
from collections.abc import Callable, Iterable
from itertools import islice, takewhile
from typing import Any

import orjson

from tests.harness.stripe.book import EVENTS_KEPT_S, Book, Json
from tests.harness.stripe.forms import whole
from tests.harness.stripe.problems import invalid

CLAUSE = re.compile(r"""\s*(-?)(\w+)(?:\['((?:[^'\\]|\\.)*)'\])?\s*([:~<>]=?)\s*(?:'((?:[^'\\]|\\.)*)'|(\d+))\s*""")
DISORDER_S = 3600
Clause = tuple[str, str, str | None, str, str]  # negated, field, its key, operator, value
COMPARED: dict[str, Callable[[int, int], bool]] = {
    "gte": lambda a, b: a >= b,
    "gt": lambda a, b: a > b,
    "lte": lambda a, b: a <= b,
    "lt": lambda a, b: a < b,
}


def page(book: Book, kind: str, form: Json, *, url: str, among: tuple[str, ...] = ()) -> Json:
    """A page of a list, newest first. `among`: the fields that may be asked for as they are."""
    asked = [(name, form[name]) for name in among if form.get(name)]
    return _cut(book, kind, lambda item: all(item.get(name) == value for name, value in asked), form, url)


def events(book: Book, form: Json) -> Json:
    """Events of the last 30 days, by type or types (`*` at the end of one stands for any)."""
    named = [form["type"]] if form.get("type") else list(form.get("types") or [])
    since = book.clock.now() - EVENTS_KEPT_S
    wanted = "|".join(re.escape(name).replace(r"\*", ".*") for name in named)
    matches = re.compile(f"(?:{wanted})\\Z" if named else "").match

    def is_wanted(event: Json) -> bool:
        return event["created"] >= since and matches(event["type"]) is not None

    return _cut(book, "event", is_wanted, form, "/v1/events")


def search(book: Book, kind: str, form: Json, *, url: str) -> Json:
    """`metadata['order']:'7' AND status:'succeeded'`. What is younger than `search_lag_s` is not found yet."""
    clauses, joined = _clauses(str(form.get("query", "")))
    before = book.clock.now() - book.search_lag_s
    found = [
        item
        for item in book.newest_first(kind)
        if (not book.search_lag_s or item["created"] < before) and joined(_holds(item, clause) for clause in clauses)
    ]
    start = whole({"page": form.get("page", "")}, "page", 0)
    limit = _limit(form)
    more = len(found) > start + limit
    return {
        "object": "search_result",
        "data": found[start : start + limit],
        "has_more": more,
        "next_page": str(start + limit) if more else None,
        "url": url,
    }


def expanded(book: Book, answer: Json, paths: Iterable[str]) -> Json:
    """A copy of `answer` in which the ids at `paths` (`latest_charge.balance_transaction`) are the objects."""
    copy: Json = orjson.loads(orjson.dumps(answer))
    for path in paths:
        _expand(book, copy, path.split("."), path)
    return copy


def _expand(book: Book, item: Any, path: list[str], whole_path: str) -> None:
    if isinstance(item, list):
        for part in item:
            _expand(book, part, path, whole_path)
        return
    name, *rest = path
    if isinstance(item, dict) and name == "line_items" and item.get("object") == "checkout.session":
        item[name] = line_items(book, item["id"])
    elif not isinstance(item, dict) or name not in item:
        raise invalid(
            f"This property cannot be expanded ({whole_path}).", param="expand", code="property_not_expandable"
        )
    value = item[name]
    if isinstance(value, str):
        if value not in book.objects:
            raise invalid(f"This property cannot be expanded ({whole_path}).", param="expand")
        value = item[name] = orjson.loads(orjson.dumps(book.objects[value]))
    if rest and value is not None:
        _expand(book, value, rest, whole_path)


def line_items(book: Book, session: str) -> Json:
    items = book.objects[f"line_items:{session}"]["data"]
    url = f"/v1/checkout/sessions/{session}/line_items"
    return {"object": "list", "data": orjson.loads(orjson.dumps(items)), "has_more": False, "url": url}


def _created(form: Json) -> Callable[[int], bool]:
    """Whether something of that instant is asked for."""
    bounds = form.get("created")
    if not bounds:
        return lambda _created: True
    if isinstance(bounds, str):
        exact = whole(form, "created")
        return lambda created: created == exact
    if set(bounds) - set(COMPARED):
        raise invalid("Invalid created: gt, gte, lt, lte", param="created")
    tests = [(COMPARED[name], whole(bounds, name)) for name in bounds]
    return lambda created: all(test(created, bound) for test, bound in tests)


def _since(form: Json) -> Callable[[Json], bool]:
    """Whether there may be more of what is asked for among older events: their order is that of time, but for tests that
    set the clock back."""
    bounds = form.get("created")
    first = whole(bounds, "gte", 0) - DISORDER_S if isinstance(bounds, dict) else 0
    return lambda event: event["created"] >= first


def _limit(form: Json) -> int:
    limit = whole(form, "limit", 10)
    if not 1 <= limit <= 100:
        raise invalid("Invalid limit: between 1 and 100", param="limit", code="parameter_invalid_integer")
    return limit


def _cut(book: Book, kind: str, is_wanted: Callable[[Json], bool], form: Json, url: str) -> Json:
    """Only as much of the list is looked at as makes a page: it may be long, and is asked for again and again."""
    limit, in_time = _limit(form), _created(form)
    after, before = form.get("starting_after"), form.get("ending_before")
    if after and before:
        raise invalid("You cannot parameterize both starting_after and ending_before.", param="starting_after")
    if before:
        way: Iterable[Json] = book.newer(kind, book.get(kind, before, param="ending_before")["id"])
    else:
        way = book.older(kind, book.get(kind, after, param="starting_after")["id"] if after else None)
    if kind == "event" and not before:
        way = takewhile(_since(form), way)
    found = list(islice((item for item in way if in_time(item["created"]) and is_wanted(item)), limit + 1))
    data = found[:limit]
    return {"object": "list", "data": data[::-1] if before else data, "has_more": len(found) > limit, "url": url}


def _clauses(query: str) -> tuple[list[Clause], Callable[[Iterable[bool]], bool]]:
    clauses, at, words = [], 0, set()
    while at < len(query) or not clauses:
        found = CLAUSE.match(query, at)
        if found is None:
            raise invalid("We were unable to parse your search query.", param="query")
        negated, name, key, operator, text, number = found.groups()
        value = number if text is None else text.replace("\\'", "'").replace("\\\\", "\\")
        clauses.append((negated, name, key and key.replace("\\'", "'"), operator, value))
        at = found.end()
        word = re.compile(r"AND\b|OR\b", re.IGNORECASE).match(query, at)
        if word:
            words.add(word[0].upper())
            at = word.end()
    if len(words) > 1:
        raise invalid("Search queries cannot mix AND and OR.", param="query")
    return clauses, any if words == {"OR"} else all


def _holds(item: Json, clause: Clause) -> bool:
    negated, name, key, operator, value = clause
    actual = item.get(name)
    if key is not None:
        actual = (actual or {}).get(key)
    if operator == ":":
        holds = actual is not None and str(actual) == value
    elif operator == "~":
        holds = value.lower() in str(actual or "").lower()
    else:
        compare = COMPARED[{">": "gt", ">=": "gte", "<": "lt", "<=": "lte"}[operator]]
        holds = actual is not None and compare(int(actual), int(value))
    return holds != bool(negated)
