"""What applying a document would change. PURE.

A section that is absent stays as it is; in a section that is given, what is absent is archived. A rate card is
published anew when its prices differ from the newest version of its cohort; also when an instant is given from which
they are to hold and it is another one, or when customers are to follow and the newest version did not ask them to.
Everything else leaves published versions alone, so that applying a document twice publishes once.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal, TypeVar

from credits.catalog.drafts import (
    BundleDraft,
    CreditTypeDraft,
    Document,
    FeatureDraft,
    RateCardDraft,
    bundle_draft,
    card_draft,
    credit_type_draft,
    feature_draft,
)
from credits.catalog.values import Catalog

Action = Literal["create", "update", "archive", "restore", "publish", "reorder"]
Section = Literal["creditTypes", "features", "rateCards", "bundles"]


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that changes. `before` and `after` are JSON: an update shows the fields that differ, the others all."""

    action: Action
    path: str
    before: Any
    after: Any


Item = TypeVar("Item", CreditTypeDraft, FeatureDraft, BundleDraft)


def diff(current: Catalog, document: Document, now: datetime) -> list[Change]:
    """The changes, section by section; empty where the document says what is so already."""
    changes: list[Change] = []
    if document.credit_types is not None:
        changes += _items("creditTypes", map(credit_type_draft, current.credit_types), document.credit_types)
    if document.features is not None:
        changes += _items("features", map(feature_draft, current.features), document.features)
    if document.rate_cards is not None:
        changes += _cards(current, document.rate_cards, now)
    if document.bundles is not None:
        bundles = (bundle_draft(current, bundle) for bundle in current.bundles)
        changes += _items("bundles", bundles, document.bundles)
    return changes


def publishes(current: Catalog, draft: RateCardDraft) -> bool:
    """True where applying the draft makes a new version of its cohort."""
    cards = current.cards(draft.cohort)
    if not cards:
        return True
    newest = card_draft(current, cards[-1])
    return (
        draft.prices != newest.prices
        or (draft.effective_at is not None and draft.effective_at != newest.effective_at)
        or (draft.follow and not newest.follow)
    )


def _items(section: Section, current: Iterable[Item], wanted: Sequence[Item]) -> list[Change]:
    had = {draft.key: draft for draft in current}
    changes: list[Change] = []
    for draft in wanted:
        before = had.get(draft.key)
        if before is None:
            changes.append(_change("create", section, draft.key, None, draft.to_json()))
        elif before.archived and not draft.archived:
            changes.append(_change("restore", section, draft.key, before.to_json(), draft.to_json()))
        elif draft.archived and not before.archived:
            changes.append(_change("archive", section, draft.key, before.to_json(), draft.to_json()))
        elif before != draft:
            changes.append(_change("update", section, draft.key, *_differing(before.to_json(), draft.to_json())))
    given = {draft.key for draft in wanted}
    for draft in had.values():
        if draft.key not in given and not draft.archived:
            after = replace(draft, archived=True).to_json()
            changes.append(_change("archive", section, draft.key, draft.to_json(), after))
    offered = [draft.key for draft in had.values() if not draft.archived]
    return changes + _reorder(section, offered, [draft.key for draft in wanted if not draft.archived])


def _cards(current: Catalog, wanted: Sequence[RateCardDraft], now: datetime) -> list[Change]:
    changes: list[Change] = []
    for draft in wanted:
        cards = current.cards(draft.cohort)
        before = {"version": cards[-1].version, **card_draft(current, cards[-1]).to_json()} if cards else None
        if publishes(current, draft):
            version = cards[-1].version + 1 if cards else 1
            published = replace(draft, effective_at=draft.effective_at or now)
            changes.append(
                _change("publish", "rateCards", draft.cohort, before, {"version": version, **published.to_json()})
            )
        elif any(cohort.archived for cohort in current.cohorts if cohort.name == draft.cohort):
            changes.append(_change("restore", "rateCards", draft.cohort, None, before))
    given = {draft.cohort for draft in wanted}
    offered = [cohort.name for cohort in current.cohorts if not cohort.archived]
    for name in offered:
        if name not in given:
            newest = current.cards(name)[-1]
            before = {"version": newest.version, **card_draft(current, newest).to_json()}
            changes.append(_change("archive", "rateCards", name, before, None))
    return changes + _reorder("rateCards", offered, [draft.cohort for draft in wanted])


def _reorder(section: Section, before: list[str], after: list[str]) -> list[Change]:
    """Order is what people see in lists. Only what was there before and stays can change places."""
    stay = set(before) & set(after)
    before, after = [key for key in before if key in stay], [key for key in after if key in stay]
    return [] if before == after else [Change("reorder", section, before, after)]


def _differing(before: dict[str, Any], after: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    return {name: before.get(name) for name in names}, {name: after.get(name) for name in names}


def _change(action: Action, section: Section, key: str, before: Any, after: Any) -> Change:
    return Change(action, f"{section}[{key}]", before, after)
