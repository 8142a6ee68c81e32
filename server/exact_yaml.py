"""YAML in which a number is the decimal that was written, and a text is never taken for something else.

The stock loader makes floats of 0.001, dates of 2026-01-01, false of NO and 8 of 010, and lets the last of two equal
keys win. Here: `true`, `false`, `null`, whole numbers, decimals (as `Decimal`); everything else is text, as YAML 1.2
means it. A key that is there twice is an error.
"""

import re
from collections.abc import Hashable
from decimal import Decimal
from typing import Any

import yaml

from credits import amount
from server.operator_error import OperatorError

_TAG = "tag:yaml.org,2002:"


class NotReadable(OperatorError):
    """The text is no YAML; the message says where."""


class _Loader(yaml.SafeLoader):
    """Resolves less than the stock loader: see above."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 -- as the base has it

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[object] = set()
        for key_node, _ in node.value:
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag == f"{_TAG}merge":
                continue  # a key that is no scalar is refused by the base
            key = key_node.value
            if key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"{key!r} is there twice", key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


def _decimal(_loader: _Loader, node: yaml.ScalarNode) -> Decimal:
    return Decimal(node.value)


for _tag, _pattern, _first in (
    (f"{_TAG}bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    (f"{_TAG}null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    (f"{_TAG}int", r"-?(?:0|[1-9][0-9]{0,17})", "-0123456789"),
    ("!decimal", r"-?(?:0|[1-9][0-9]*)\.[0-9]+", "-0123456789"),
    (f"{_TAG}merge", r"<<", "<"),
):
    _Loader.add_implicit_resolver(_tag, re.compile(f"(?:{_pattern})\\Z", re.ASCII), list(_first))
_Loader.add_constructor("!decimal", _decimal)


class _Dumper(yaml.SafeDumper):
    """Writes decimals as the numbers they are."""


def _represent_decimal(dumper: _Dumper, value: Decimal) -> yaml.ScalarNode:
    return dumper.represent_scalar(f"{_TAG}float", amount.plain(value))


_Dumper.add_representer(Decimal, _represent_decimal)


def load(text: str) -> object:
    """What the text says. Raises `NotReadable`."""
    try:
        return yaml.load(text, _Loader)  # noqa: S506 -- a SafeLoader that resolves less
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise NotReadable(f"{where}{error.problem or 'no YAML'}") from error
    except yaml.YAMLError as error:
        raise NotReadable(" ".join(str(error).split())) from error
    except RecursionError:
        raise NotReadable("is nested too deeply") from None


def dump(value: object) -> str:
    """The value as YAML that `load` reads back as it was; what holds no lists or mappings stands on one line."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=None, width=120)
