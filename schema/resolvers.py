"""What stands between graphql-core and our resolvers, made thin, and the rules that stand before them.

Strawberry converts arguments anew at every call: it resolves annotations and translates names for each field of each
input, 100 µs for a burn. Both libraries offer a door: `out_type` builds an input object where graphql-core has
coerced it, `from_input` tells Strawberry that it is built. With the names translated once, a resolver is called
straight. What is not ordinary (field extensions, `Maybe`, `@oneOf`, exception handlers) keeps Strawberry's own way.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import strawberry
from graphql import GraphQLField, GraphQLInputObjectType, GraphQLInputType, GraphQLObjectType
from graphql.type import GraphQLArgument, get_named_type, is_leaf_type
from strawberry.types.arguments import InputContext
from strawberry.types.base import StrawberryMaybe, StrawberryObjectDefinition
from strawberry.types.field import StrawberryField

from schema.permission import Rule, refusal, rule_of

Resolve = Callable[..., Any]
# A resolver that takes its object, perhaps the info, and does not wait, as a function of object and graphql-core's
# info: `selections` calls it itself.
PlainResolver = Callable[[Any, Any], Any]


def install(schema: strawberry.Schema) -> None:
    """Makes the inputs and resolvers of a built schema thin, and puts each declared rule before its field."""
    core = schema._schema  # noqa: SLF001 -- Strawberry has no public name for graphql-core's schema
    for type_ in core.type_map.values():
        if isinstance(type_, GraphQLInputObjectType):
            _install_input(schema, type_)
    for type_ in core.type_map.values():
        if isinstance(type_, GraphQLObjectType) and not type_.name.startswith("__"):
            for field in type_.fields.values():
                _install_field(schema, field)


# ─── inputs ────────────────────────────────────────────────────────────────────────────────────────
def _definition(type_: GraphQLInputObjectType) -> StrawberryObjectDefinition | None:
    definition = (type_.extensions or {}).get("strawberry-definition")
    return definition if isinstance(definition, StrawberryObjectDefinition) else None


def _is_ordinary(type_: GraphQLInputObjectType, above: frozenset[str] = frozenset()) -> bool:
    """True where the input is a dataclass of leaves, lists and ordinary inputs, which `_builder` can build."""
    definition = _definition(type_)
    if definition is None or type_.name in above or type_.is_one_of or definition.is_one_of:
        return False
    if any(isinstance(field.type, StrawberryMaybe) for field in definition.fields):
        return False
    return all(_is_ordinary_type(field.type, above | {type_.name}) for field in type_.fields.values())


def _is_ordinary_type(type_: GraphQLInputType, above: frozenset[str] = frozenset()) -> bool:
    named = get_named_type(type_)
    return is_leaf_type(named) or (isinstance(named, GraphQLInputObjectType) and _is_ordinary(named, above))


def _install_input(schema: strawberry.Schema, type_: GraphQLInputObjectType) -> None:
    definition = _definition(type_)
    if definition is None or definition.from_input not in (None, _from_input) or not _is_ordinary(type_):
        return
    type_.out_type = _builder(schema, definition)  # type: ignore[assignment, method-assign]
    definition.from_input = _from_input


def _builder(schema: strawberry.Schema, definition: StrawberryObjectDefinition) -> Callable[[dict[str, Any]], Any]:
    to_name = schema.config.name_converter.from_field
    names = {to_name(field): field.python_name for field in definition.fields}
    # As Strawberry does: what is left out is None unless the class has a default of its own.
    left_out = {
        field.python_name: None
        for field in definition.fields
        if field.default_value is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    }
    class_ = definition.origin

    def build(coerced: dict[str, Any]) -> Any:
        arguments = dict(left_out)
        for name, value in coerced.items():
            arguments[names[name]] = value
        return class_(**arguments)

    return build


def _from_input(class_: type, value: Any, context: InputContext) -> Any:
    """Strawberry's door: the value is built already, unless this class also serves a schema that is not installed."""
    if not isinstance(value, Mapping):
        return value
    definition: StrawberryObjectDefinition = class_.__strawberry_definition__  # type: ignore[attr-defined]
    arguments: dict[str, Any] = {}
    for field in definition.fields:
        name = context.config.name_converter.from_field(field)
        if name in value:
            type_ = field.resolve_type(type_definition=definition)
            arguments[field.python_name] = context.convert(value[name], type_, name)
        elif field.default_value is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            arguments[field.python_name] = None
    return class_(**arguments)


# ─── fields ────────────────────────────────────────────────────────────────────────────────────────
def _install_field(schema: strawberry.Schema, field: GraphQLField) -> None:
    definition = (field.extensions or {}).get("strawberry-definition")
    if not isinstance(definition, StrawberryField) or getattr(field.resolve, "scrip_installed", False):
        return
    if not definition.is_subscription and _has_ordinary_resolver(schema, definition, field):
        field.resolve = _straight(schema, definition)
    rule = rule_of(field)
    if rule is not None and definition.is_subscription:
        field.subscribe = _guarded(rule, field.subscribe)
    elif rule is not None:
        field.resolve = _guarded(rule, field.resolve)


def _has_ordinary_resolver(schema: strawberry.Schema, definition: StrawberryField, field: GraphQLField) -> bool:
    resolver = definition.base_resolver
    return (
        resolver is not None
        and not definition.extensions
        and not schema.exception_handlers
        and resolver.root_parameter is None
        and resolver.parent_parameter is None
        and callable(resolver.wrapped_func)
        and all(_is_ordinary_argument(argument) for argument in field.args.values())
        and not any(argument.is_maybe for argument in definition.arguments)
    )


def _is_ordinary_argument(argument: GraphQLArgument) -> bool:
    # A list or object as default is one object for all requests; Strawberry copies it.
    return _is_ordinary_type(argument.type) and not isinstance(argument.default_value, list | dict)


def _straight(schema: strawberry.Schema, definition: StrawberryField) -> Resolve:
    """The resolver itself, called with the names it knows."""
    resolver = definition.base_resolver
    assert resolver is not None  # noqa: S101 -- asked before
    function: Any = resolver.wrapped_func
    to_name = schema.config.name_converter.from_argument
    names = {to_name(argument): argument.python_name for argument in definition.arguments}
    info_name = resolver.info_parameter.name if resolver.info_parameter else None
    info_class = schema.config.info_class
    takes_source = resolver.self_parameter is not None

    def resolve(source: Any, info: Any, /, **given: Any) -> Any:
        arguments = {names[name]: value for name, value in given.items()}
        if info_name is not None:
            arguments[info_name] = info_class(_raw_info=info, _field=definition)
        return function(source, **arguments) if takes_source else function(**arguments)

    resolve.scrip_installed = True  # type: ignore[attr-defined]
    if takes_source and not names and not definition.is_async:
        plain: PlainResolver = resolve if info_name is not None else lambda source, _info: function(source)
        resolve.scrip_plain = plain  # type: ignore[attr-defined]
    return resolve


def _guarded(rule: Rule, resolve: Resolve | None) -> Resolve:
    assert resolve is not None  # noqa: S101 -- Strawberry gives every field one

    def guarded(source: Any, info: Any, /, **given: Any) -> Any:
        refused = refusal(rule, info.context.caller)
        if refused is not None:
            raise refused
        return resolve(source, info, **given)

    guarded.scrip_installed = True  # type: ignore[attr-defined]
    return guarded


__all__ = ["install"]
