"""Who acts, as the caller may know it."""

import strawberry

from credits.access.actors import Actor as ActorValue
from schema.context import Context
from schema.types.enums import ActorKind


@strawberry.type
class Actor:
    kind: ActorKind
    id: str
    name: str

    @staticmethod
    def of(actor: ActorValue | None, context: Context) -> "Actor":
        """A customer sees of an operator that it was Support, and no more."""
        if actor is None:
            return Actor(kind=ActorKind.SYSTEM, id="system", name="Scrip")
        kind = ActorKind(actor.kind)
        if kind is ActorKind.OPERATOR and context.caller.is_customer:
            return SUPPORT
        return Actor(kind=kind, id=actor.subject, name=actor.name)


SUPPORT = Actor(kind=ActorKind.OPERATOR, id="support", name="Support")


async def actor_of(context: Context, actor_id: int | None) -> Actor:
    return Actor.of(None if actor_id is None else await context.loaders.actors.load(actor_id), context)


async def note_for(context: Context, actor_id: int | None, note: str | None) -> str | None:
    """An operator's note is not for the customer."""
    if note is None or not context.caller.is_customer:
        return note
    return None if (await actor_of(context, actor_id)).kind is ActorKind.OPERATOR else note
