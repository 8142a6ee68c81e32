"""Coercing variables, compiled once for each operation.

graphql-core walks the types of an operation's variables again at every request; here they become functions once.
They take what is plainly right. Whatever is not (missing, null where it may not be, an unknown field, a scalar that
refuses) raises, and graphql-core coerces the request again and says what is wrong in its own words: what a value
means, and which values are refused, is decided there alone.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from graphql import (
    GraphQLError,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLSchema,
    Undefined,
    VariableDefinitionNode,
)
from graphql.execution.get_variable_signature import get_variable_signature
from graphql.execution.values import VariableValues, VariableValueSource, get_variable_values
from graphql.type import is_required_input_field
from graphql.utilities.coerce_input_value import coerce_default_value

from schema.errors import bad_request

Coerce = Callable[[Any], Any]

_ERRORS_MAX = 10  # of one request's variables; burnMany may bring a thousand wrong inputs


class _NotPlain(Exception):
    """Not plainly right: graphql-core decides."""


class Variables:
    """The variables of one operation."""

    def __init__(self, schema: GraphQLSchema, definitions: Sequence[VariableDefinitionNode]) -> None:
        self._schema, self._definitions = schema, definitions
        self._rows: list[tuple[str, VariableValueSource, Any, Coerce, Any]] = []
        self._compiled = True
        for definition in definitions:
            signature = get_variable_signature(schema, definition)
            if isinstance(signature, GraphQLError):
                self._compiled = False
                continue
            default = Undefined if definition.default_value is None else coerce_default_value(signature)
            row = (signature.name, VariableValueSource(signature), signature, _nullable(signature.type), default)
            self._rows.append(row)

    def coerce(self, given: Mapping[str, Any]) -> VariableValues:
        """The values as execution wants them; raises a BAD_REQUEST that names the path."""
        if self._compiled:
            try:
                return self._plain(given)
            except Exception:  # noqa: BLE001, S110 -- the walk below finds the same fault and words it
                pass
        values = get_variable_values(self._schema, self._definitions, dict(given), _ERRORS_MAX, hide_suggestions=True)
        if isinstance(values, list):
            raise _together(values)
        return values

    def _plain(self, given: Mapping[str, Any]) -> VariableValues:
        sources: dict[str, VariableValueSource] = {}
        coerced: dict[str, Any] = {}
        for name, absent, signature, coerce, default in self._rows:
            if name in given:
                value = given[name]
                sources[name] = VariableValueSource(signature, value)
                coerced[name] = coerce(value)
            else:
                sources[name] = absent
                if default is not Undefined:
                    coerced[name] = default
                elif isinstance(signature.type, GraphQLNonNull):
                    raise _NotPlain
        return VariableValues(sources, coerced)


def _together(errors: list[GraphQLError]) -> GraphQLError:
    """One error of several: the messages name their paths."""
    return bad_request("; ".join(error.message for error in errors), errors[0].nodes)


def _nullable(type_: GraphQLInputType) -> Coerce:
    """A function from a value as it came to one of this type; raises where it is not plainly right."""
    if isinstance(type_, GraphQLNonNull):
        inner = _value(type_.of_type)

        def required(value: Any) -> Any:
            if value is None:
                raise _NotPlain
            return inner(value)

        return required
    coerce = _value(type_)
    return lambda value: None if value is None else coerce(value)


def _value(type_: GraphQLInputType) -> Coerce:
    if isinstance(type_, GraphQLList):
        return _list(_nullable(type_.of_type))
    if isinstance(type_, GraphQLInputObjectType):
        return _object(type_)
    coerce: Coerce = type_.coerce_input_value  # type: ignore[union-attr]

    def leaf(value: Any) -> Any:
        coerced = coerce(value)
        if coerced is Undefined:
            raise _NotPlain
        return coerced

    return leaf


def _list(item: Coerce) -> Coerce:
    def many(value: Any) -> Any:
        if type(value) is not list:  # a single item where a list is asked for is right, but not plainly
            raise _NotPlain
        return [item(one) for one in value]

    return many


def _object(type_: GraphQLInputObjectType) -> Coerce:
    if type_.is_one_of:
        raise TypeError(f"{type_}: @oneOf is not compiled")
    out_type = type_.out_type
    fields: list[tuple[str, str, Coerce]] = []
    defaults: dict[str, Any] = {}
    required: set[str] = set()
    for name, field in type_.fields.items():
        out = field.out_name or name
        fields.append((name, out, _nullable(field.type)))
        if is_required_input_field(field):
            required.add(name)
        elif (default := coerce_default_value(field)) is not Undefined:
            defaults[out] = default

    def build(value: Any) -> Any:
        if type(value) is not dict or not required <= value.keys():
            raise _NotPlain
        coerced = dict(defaults)
        taken = 0
        for name, out, coerce in fields:
            if name in value:
                taken += 1
                coerced[out] = coerce(value[name])
        if taken != len(value):
            raise _NotPlain
        return out_type(coerced)

    return build


__all__ = ["Variables"]
