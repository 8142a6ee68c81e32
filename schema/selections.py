"""Completing values, compiled once for each selection.

Most of an answer is plain attributes of objects that a resolver has already returned. For such a selection
graphql-core builds a path, an info, an argument dictionary and five generic calls for each field of each object; here
it becomes a function from object to dictionary once. It takes what is plainly right. Whatever is not (a null where
none may be, a scalar that cannot be written, an unexpected class) raises, and graphql-core completes the same object
again and places the error: attributes are read, nothing is called twice. A selection with a field that has a
resolver, a rule or arguments is not compiled; graphql-core executes it, and the plain selections below it are.
"""

from collections.abc import Callable
from typing import Any

from graphql import (
    FragmentDefinitionNode,
    GraphQLEnumType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    GraphQLUnionType,
    OperationDefinitionNode,
    OperationType,
    Undefined,
)
from graphql.execution.collect_fields import (
    CollectedFields,
    FieldDetailsList,
    FragmentDetails,
    collect_fields,
    collect_subfields,
)
from graphql.execution.values import VariableValues
from graphql.type import is_leaf_type
from strawberry.types.base import StrawberryObjectDefinition
from strawberry.types.field import StrawberryField

Complete = Callable[[Any], Any]


class _NotPlain(Exception):
    """Not plainly right: graphql-core decides."""


class Selections:
    """What one operation selects, for one setting of the variables of its @skip and @include."""

    def __init__(
        self,
        schema: GraphQLSchema,
        operation: OperationDefinitionNode,
        fragments: dict[str, FragmentDefinitionNode],
        variables: VariableValues,
    ) -> None:
        self.schema, self.operation, self.variables = schema, operation, variables
        self.fragment_definitions = fragments
        self.fragments = {name: FragmentDetails(definition) for name, definition in fragments.items()}
        root = schema.get_root_type(operation.operation)
        assert root is not None  # noqa: S101 -- validation has refused operations the schema has not
        self.root_type = root
        self.serially = operation.operation is OperationType.MUTATION
        self.root = collect_fields(schema, self.fragments, variables, root, operation, True)
        # Both by identity of the list of fields, which stays the same object as long as this one lives.
        self._collected: dict[tuple[str, int], tuple[FieldDetailsList, CollectedFields]] = {}
        self._completes: dict[tuple[int, int], tuple[FieldDetailsList, GraphQLOutputType, Complete | None]] = {}

    def below(self, type_: GraphQLObjectType, fields: FieldDetailsList) -> CollectedFields:
        """What these fields select of an object of this type."""
        key = (type_.name, id(fields))
        known = self._collected.get(key)
        if known is None:
            collected = collect_subfields(
                self.schema, self.fragments, self.variables, self.operation, type_, fields, True
            )
            known = self._collected[key] = (fields, collected)
        return known[1]

    def complete(self, type_: GraphQLOutputType, fields: FieldDetailsList) -> Complete | None:
        """The compiled completion of a value of this type; None where only graphql-core can complete it."""
        key = (id(type_), id(fields))
        known = self._completes.get(key)
        if known is None:
            known = self._completes[key] = (fields, type_, self._nullable(type_, fields))
        return known[2]

    def _nullable(self, type_: GraphQLOutputType, fields: FieldDetailsList) -> Complete | None:
        if isinstance(type_, GraphQLNonNull):
            return self._value(type_.of_type, fields)  # every completion below refuses null
        complete = self._value(type_, fields)
        return None if complete is None else lambda value: None if value is None else complete(value)

    def _value(self, type_: GraphQLOutputType, fields: FieldDetailsList) -> Complete | None:
        if isinstance(type_, GraphQLEnumType):
            return _enum(type_)
        if is_leaf_type(type_):
            return _leaf(type_.coerce_output_value)
        if isinstance(type_, GraphQLList):
            return _list(self._nullable(type_.of_type, fields))
        if isinstance(type_, GraphQLObjectType):
            return self._object(type_, fields)
        if isinstance(type_, GraphQLUnionType | GraphQLInterfaceType):
            return self._abstract(type_, fields)
        return None

    def _abstract(self, type_: GraphQLUnionType | GraphQLInterfaceType, fields: FieldDetailsList) -> Complete | None:
        by_class: dict[type, Complete] = {}
        for possible in self.schema.get_possible_types(type_):
            complete = self._object(possible, fields)
            class_ = _class(possible)
            if complete is None or class_ is None:
                return None
            by_class[class_] = complete

        def abstract(value: Any) -> Any:
            return by_class[type(value)](value)

        return abstract

    def _object(self, type_: GraphQLObjectType, fields: FieldDetailsList) -> Complete | None:
        rows: list[tuple[str, str, Complete]] = []
        for key, below in self.below(type_, fields).grouped_field_set.items():
            name = below[0].node.name.value
            if name == "__typename":
                rows.append((key, "__class__", _always(type_.name)))
                continue
            attribute = _attribute(type_, name)
            complete = None if attribute is None else self._nullable(type_.fields[name].type, below)
            if attribute is None or complete is None:
                return None
            rows.append((key, attribute, complete))
        # A type with interfaces is one whose objects graphql-core checks; an exact class needs no check.
        exactly = _class(type_) if type_.is_type_of is not None else None
        if type_.is_type_of is not None and exactly is None:
            return None

        def complete_object(value: Any) -> Any:
            if value is None or (exactly is not None and type(value) is not exactly):
                raise _NotPlain
            return {key: complete(getattr(value, attribute)) for key, attribute, complete in rows}

        return complete_object


def _always(name: str) -> Complete:
    return lambda _value: name


def _leaf(serialize: Complete) -> Complete:
    def leaf(value: Any) -> Any:
        if value is None:
            raise _NotPlain
        written = serialize(value)
        if written is None or written is Undefined:
            raise _NotPlain
        return written

    return leaf


def _enum(type_: GraphQLEnumType) -> Complete:
    names: dict[Any, str] = {}
    for name, value in type_.values.items():
        names[value.value] = name
    members = getattr(type_, "wrapped_cls", ())
    for member in members:
        if member.value in names:
            names[member] = names[member.value]
    return names.__getitem__  # null and what is no member raise KeyError


def _list(item: Complete | None) -> Complete | None:
    if item is None:
        return None

    def many(values: Any) -> Any:
        if type(values) is not list and type(values) is not tuple:  # an iterator may be read only once
            raise _NotPlain
        return [item(value) for value in values]

    return many


def _class(type_: GraphQLObjectType) -> type | None:
    definition = (type_.extensions or {}).get("strawberry-definition")
    return definition.origin if isinstance(definition, StrawberryObjectDefinition) else None


def _attribute(type_: GraphQLObjectType, name: str) -> str | None:
    """The attribute that a field reads, where reading it is all that the field does."""
    field = type_.fields[name]
    definition = (field.extensions or {}).get("strawberry-definition")
    if not isinstance(definition, StrawberryField):
        return None
    plain = (
        definition.is_basic_field
        and definition.default_resolver is getattr
        and getattr(field.resolve, "_is_default", False)
        and not field.args
    )
    return definition.python_name if plain else None


__all__ = ["Selections"]
