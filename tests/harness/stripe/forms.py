"""Stripe's bracket notation: `metadata[order]=7&line_items[0][quantity]=1` ↔ nested dicts and lists of strings."""

from typing import Any
from urllib.parse import parse_qsl

from tests.harness.stripe.problems import invalid

Json = dict[str, Any]
FREE_KEYS = {"metadata"}  # their keys are the caller's, digits too


def parse(text: str) -> Json:
    """The nested values. Lists by number or by `[]`; an empty string is what Stripe takes for "unset"."""
    tree: Json = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        head, *rest = name.replace("]", "").split("[")
        _put(tree, [head, *rest], value)
    return {name: value if name in FREE_KEYS else _lists(value) for name, value in tree.items()}


def _put(tree: Json, path: list[str], value: str) -> None:
    for part in path[:-1]:
        tree = tree.setdefault(part, {})
        if not isinstance(tree, dict):
            raise invalid("Invalid object", param=path[0])
    tree[path[-1] or str(len(tree))] = value


def _lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    inner = {name: part if name in FREE_KEYS else _lists(part) for name, part in value.items()}
    if inner and all(name.isdigit() for name in inner):
        return [inner[name] for name in sorted(inner, key=int)]
    return inner


def whole(form: Json, name: str, default: int | None = None) -> int:
    """The whole number under `name`."""
    text = form.get(name, "")
    if text == "" and default is not None:
        return default
    if text == "":
        raise invalid(f"Missing required param: {name}.", param=name, code="parameter_missing")
    if not isinstance(text, str) or not text.lstrip("-").isascii() or not text.lstrip("-").isdigit():
        raise invalid(f"Invalid integer: {text}", param=name, code="parameter_invalid_integer")
    return int(text)


def flag(form: Json, name: str, *, default: bool = False) -> bool:
    text = form.get(name, "")
    if text == "":
        return default
    if text not in {"true", "false"}:
        raise invalid(f"Invalid boolean: {text}", param=name)
    return bool(text == "true")


def choice(form: Json, name: str, among: tuple[str, ...], default: str | None = None) -> str:
    text = form.get(name) or default
    if text is None:
        raise invalid(f"Missing required param: {name}.", param=name, code="parameter_missing")
    if text not in among:
        raise invalid(f"Invalid {name}: must be one of {', '.join(among)}", param=name)
    return str(text)


def required(form: Json, name: str) -> str:
    if not form.get(name):
        raise invalid(f"Missing required param: {name}.", param=name, code="parameter_missing")
    return str(form[name])


def metadata(form: Json, before: Json | None = None) -> Json:
    """Merged with what was there, as Stripe merges: an empty value takes its key away, an empty map all."""
    given = form.get("metadata", {})
    if given == "":
        return {}
    if not isinstance(given, dict):
        raise invalid("Invalid object", param="metadata")
    merged = {**(before or {}), **given}
    if len(merged) > 50:
        raise invalid("Metadata can have at most 50 keys", param="metadata")
    for key, value in given.items():
        if len(key) > 40 or not isinstance(value, str) or len(value) > 500:
            raise invalid(f"Metadata {key} is too long: 40 characters a key, 500 a value", param=f"metadata[{key}]")
    return {key: value for key, value in merged.items() if value != ""}
