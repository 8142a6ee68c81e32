"""Completing values, compiled once for each selection.

Most of an answer is attributes of objects that a resolver has already returned, and resolvers that only look at such
an object. For each field of each object graphql-core builds a path, an info and an argument dictionary, and makes five
generic calls; here a selection becomes a function from object to dictionary once. It takes what is plainly right.
Whatever is not (a null where none may be, a scalar that cannot be written, an unexpected class) raises, and
graphql-core completes the same object again and places the error: below the root GraphQL asks that reading has no
effects, so that reading twice has none either. A selection with a field that waits, has arguments or declares a rule
is not compiled; graphql-core executes it, and the plain selections below it are.
"""

from collections.abc import Callable
from inspect import iscoroutine
from typing import Any

from graphql import (
    FragmentDefinitionNode,
    GraphQLEnumType,
    GraphQLField,
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
from graphql.pyutils import is_awaitable
from graphql.type import is_leaf_type
from strawberry.types.base import StrawberryObjectDefinition
from strawberry.types.field import StrawberryField

from schema.resolvers import PlainResolver

Complete = Callable[[Any, Any], Any]  # of a value, in the context of the request
Read = Callable[[Any, Any], Any]  # of a field's value, from an object


class _NotPlain(Exception):
    """Not plainly right: graphql-core decides."""


class _Waits(Exception):
    """A resolver that is no coroutine function returned something to wait for: never compiled again."""


class _ContextAlone:
    """All of graphql-core's info that a compiled resolver finds; whoever asks for more is not plain."""

    __slots__ = ("context",)

    def __init__(self, context: Any) -> None:
        self.context = context


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

    def try_complete(self, type_: GraphQLOutputType, fields: FieldDetailsList, value: Any, context: Any) -> Any:
        """The completed value; `NotImplemented` where graphql-core has to complete it."""
        complete = self.complete(type_, fields)
        if complete is None:
            return NotImplemented
        try:
            return complete(value, context)
        except _Waits:
            self._completes[id(type_), id(fields)] = (fields, type_, None)
        except Exception:  # noqa: BLE001, S110 -- graphql-core meets the same fault and places it
            pass
        return NotImplemented

    def _nullable(self, type_: GraphQLOutputType, fields: FieldDetailsList) -> Complete | None:
        if isinstance(type_, GraphQLNonNull):
            return self._value(type_.of_type, fields)  # every completion below refuses null
        complete = self._value(type_, fields)
        return None if complete is None else lambda value, context: None if value is None else complete(value, context)

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

        def abstract(value: Any, context: Any) -> Any:
            return by_class[type(value)](value, context)

        return abstract

    def _object(self, type_: GraphQLObjectType, fields: FieldDetailsList) -> Complete | None:
        rows: list[tuple[str, str, Read | None, Complete]] = []
        for key, below in self.below(type_, fields).grouped_field_set.items():
            name = below[0].node.name.value
            if name == "__typename":
                rows.append((key, "__class__", None, _always(type_.name)))
                continue
            field = type_.fields[name]
            attribute, read = _attribute(field), _reader(field)
            complete = None if attribute is None and read is None else self._nullable(field.type, below)
            if complete is None:
                return None
            rows.append((key, attribute or "", read, complete))
        # A type with interfaces is one whose objects graphql-core checks; an exact class needs no check.
        exactly = _class(type_) if type_.is_type_of is not None else None
        if type_.is_type_of is not None and exactly is None:
            return None

        def complete_object(value: Any, context: Any) -> Any:
            if value is None or (exactly is not None and type(value) is not exactly):
                raise _NotPlain
            return {
                key: complete(getattr(value, attribute) if read is None else read(value, context), context)
                for key, attribute, read, complete in rows
            }

        return complete_object


def _always(name: str) -> Complete:
    return lambda _value, _context: name


def _leaf(serialize: Callable[[Any], Any]) -> Complete:
    def leaf(value: Any, _context: Any) -> Any:
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
    return lambda value, _context: names[value]  # null and what is no member raise KeyError


def _list(item: Complete | None) -> Complete | None:
    if item is None:
        return None

    def many(values: Any, context: Any) -> Any:
        if type(values) is not list and type(values) is not tuple:  # an iterator may be read only once
            raise _NotPlain
        return [item(value, context) for value in values]

    return many


def _class(type_: GraphQLObjectType) -> type | None:
    definition = (type_.extensions or {}).get("strawberry-definition")
    return definition.origin if isinstance(definition, StrawberryObjectDefinition) else None


def _attribute(field: GraphQLField) -> str | None:
    """The attribute that a field reads, where reading it is all that the field does."""
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


def _reader(field: GraphQLField) -> Read | None:
    """A resolver that takes nothing but its object and the context, and answers at once."""
    plain: PlainResolver | None = getattr(field.resolve, "scrip_plain", None)
    if plain is None or field.args:
        return None

    def read(value: Any, context: Any) -> Any:
        found = plain(value, _ContextAlone(context))
        if is_awaitable(found):
            if iscoroutine(found):
                found.close()
            raise _Waits
        return found

    return read


__all__ = ["Selections"]
