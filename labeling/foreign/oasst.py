"""Open-Assistant's message trees, as it exports them: a tree a line.

Each user's message is a prompt, with what was said before it. Where it has two or more ranked replies they are a
ranking under one labeler, for the source publishes the merged order and nobody's own. The best reply that a person
wrote is a demonstration. The group is the tree, so that no conversation stands on both sides of a split.
"""

from collections.abc import Iterator

from labeling.foreign.making import Members, Told
from labeling.record_fields import BadRecord, checked_text, shown

ROLES = {"prompter": "user", "assistant": "assistant"}
DEEPEST = 100


def records(tree: Members, told: Told) -> Iterator[Members]:
    root = tree.get("prompt")
    tree_id = tree.get("message_tree_id")
    if not isinstance(root, dict) or not isinstance(tree_id, str):
        raise BadRecord("message_tree_id and prompt are missing; expected a tree as Open-Assistant exports them")
    waiting: list[tuple[Members, list[Members]]] = [(root, [])]
    while waiting:
        message, before = waiting.pop()
        if len(before) >= DEEPEST:
            raise BadRecord(f"the tree {shown(tree_id)} is deeper than {DEEPEST} messages")
        if message.get("deleted") is True:
            continue
        role = ROLES.get(str(message.get("role")))
        if role is None:
            raise BadRecord(f"a message has the role {shown(message.get('role'))}; expected prompter or assistant")
        text = checked_text(message.get("text"), where=f"the text of {shown(message.get('message_id'))}")
        chat = [*before, {"role": role, "content": text}]
        replies = message.get("replies") or []
        if not isinstance(replies, list) or not all(isinstance(reply, dict) for reply in replies):
            raise BadRecord(f"the replies of {shown(message.get('message_id'))} are no list of messages")
        if role == "user":
            yield from _answered(
                message, chat, [one for one in replies if one.get("deleted") is not True], tree_id, told
            )
        waiting.extend((reply, chat) for reply in reversed(replies))


def _answered(
    message: Members, chat: list[Members], replies: list[Members], tree_id: str, told: Told
) -> Iterator[Members]:
    own = f"oasst:{message.get('message_id')}"
    prompt = {"messages": chat, "group_key": f"oasst:{tree_id}", "language": str(message.get("lang") or "en")[:20]}
    if not replies:
        yield {"type": "prompt", "id": own, **prompt}
        return
    by_people = [reply for reply in replies if not (reply.get("synthetic") or reply.get("model_name"))]
    if by_people:
        best = min(by_people, key=lambda reply: (reply.get("rank") is None, reply.get("rank") or 0))
        yield {"type": "demonstration", "id": own, "prompt": prompt, "response": _response(best, told)}
    ranked = [reply for reply in replies if isinstance(reply.get("rank"), int)]
    if len(ranked) >= 2:
        yield {
            "type": "ranking",
            "id": own,
            "prompt": prompt,
            "responses": [_response(reply, told) for reply in ranked],
            "judged": [{"labeler": told.labeler, "ranks": [int(reply["rank"]) + 1 for reply in ranked]}],
        }
    elif not by_people:
        yield {
            "type": "candidates",
            "id": own,
            "prompt": prompt,
            "responses": [_response(reply, told) for reply in replies],
        }


def _response(reply: Members, told: Told) -> Members:
    wrote = reply.get("model_name") or (told.generator if reply.get("synthetic") else None)
    author = {"generator": str(wrote)} if wrote else {"labeler": told.writer}
    text = checked_text(reply.get("text"), where=f"the text of {shown(reply.get('message_id'))}")
    return {"id": str(reply.get("message_id")), "text": text, **author}
