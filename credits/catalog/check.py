"""The catalog document against what the workspace has: what it refers to, and what may not change. PURE."""

from credits import amount
from credits.catalog.document import refusal
from credits.catalog.drafts import Document
from credits.catalog.fields import Problems
from credits.catalog.values import Catalog
from credits.errors import InvalidInput


def check(document: Document, current: Catalog) -> InvalidInput | None:
    """What keeps the document from being applied to `current`; None where nothing does.

    A reference may name what the document defines or what the workspace has, archived or not.
    """
    problems = Problems()
    scales = {kind.key: kind.scale for kind in current.credit_types}
    for kind in document.credit_types or ():
        if kind.scale < scales.get(kind.key, 0):
            problems.note(
                f"{kind.path}.scale",
                f"may not go from {scales[kind.key]} down to {kind.scale}: amounts with {scales[kind.key]} decimals may "
                "have been granted and burned, and could no longer be shown or spent",
            )
        scales[kind.key] = kind.scale
    features = {feature.key for feature in current.features} | {feature.key for feature in document.features or ()}
    for card in document.rate_cards or ():
        for rate in card.rates:
            _known(rate.feature, features, f"{rate.path}.feature", "feature", problems)
            _known(rate.credit_type, scales, f"{rate.path}.creditType", "credit type", problems)
    for bundle in document.bundles or ():
        if _known(bundle.credit_type, scales, f"{bundle.path}.creditType", "credit type", problems):
            scale = scales[bundle.credit_type]
            for name, given in (("credits", bundle.amount), ("bonus", bundle.bonus)):
                if amount.decimals(given) > scale:
                    problems.note(
                        f"{bundle.path}.{name}",
                        f"has more than the {scale} decimals of credit type {bundle.credit_type!r}",
                    )
    return refusal(problems)


def _known(key: str, keys: set[str] | dict[str, int], path: str, kind: str, problems: Problems) -> bool:
    if key in keys:
        return True
    problems.note(path, f"there is no {kind} {key!r}, neither in this document nor in the workspace")
    return False
