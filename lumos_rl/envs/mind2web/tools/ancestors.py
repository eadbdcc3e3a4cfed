"""What is around an element, for rankers: its ancestors and neighbours, in time that does not depend on its depth.

    ancestors = Ancestors()
    ancestors.text(part)       # "(html (ul list (li home )) "; `candidate_text` takes its last 50 words

Of the texts before an element and after it, each ancestor keeps only what the last 50 words need, so elements share
the work. These words have at most 10,000 characters before an element and after it; more is not written.
"""

from __future__ import annotations

from lumos_rl.envs.mind2web.tools import dom
from lumos_rl.envs.mind2web.tools.markup import last_words, path_piece, spaced
from lumos_rl.envs.mind2web.tools.parts import Part, quoted

_MOST_TEXTS = 200  # texts of one ancestor that are written, the last, because a ranker reads at most 50 words of them


class Ancestors:
    """The texts around the elements of one page; those of an ancestor are made once."""

    def __init__(self) -> None:
        self._around: dict[Part, tuple[str, str]] = {}  # element → the text before it, and after it

    def text(self, part: Part) -> str:
        """The text around an element; "" for the root."""
        if part.parent is None:
            return ""
        others = ((near.place, _alone(near)) for near in part.neighbours() if near is not part)
        content = [(place, markup) for place, markup in others if markup is not None]
        near, place = part.parent, part.place
        if near.is_plain and not content:
            assert part.shown is not None, "the root is not plain"
            near, place = part.shown, part.branch.place
        before, after = self._of(near)
        return before + spaced(whole(near, [*near.texts[-_MOST_TEXTS:], *content, (place, "")])) + after

    def _of(self, part: Part) -> tuple[str, str]:
        """What is before an element that is not plain, and after it."""
        path = [part]
        while path[-1] not in self._around and (above := path[-1].shown) is not None:
            path.append(above)
        found = self._around.setdefault(path[-1], ("", "")) if path[-1].shown is None else self._around[path[-1]]
        for below in reversed(path[:-1]):
            found = self._around[below] = _within(below, *found)
        return found


def _within(part: Part, before: str, after: str) -> tuple[str, str]:
    """What is before an element and after it, of what is around the ancestor that shows it."""
    above, place = part.shown, part.branch.place
    assert above is not None, "the root has nothing around it"
    texts = above.texts[-_MOST_TEXTS:]
    opening = f"<{above.tag}{_marks(above)}>{above.text}" + "".join(text for at, text in texts if at < place)
    closing = "".join(text for at, text in texts if at > place) + f"</{above.tag}>{above.tail}"
    return last_words(before + path_piece(opening)), last_words(path_piece(closing) + after)


def _alone(part: Part) -> str | None:
    """Markup of an element without the elements in it; None if nothing is left of it."""
    return None if part.is_plain else whole(part, part.texts[-_MOST_TEXTS:])


def whole(part: Part, content: list[tuple[int, str]], marks: str = "") -> str:
    """Markup of an element and what is after it, with this content: the place of each piece, and its markup."""
    marks += _marks(part)
    inner = part.text + "".join(markup for _, markup in sorted(content))
    return (f"<{part.tag}{marks}>{inner}</{part.tag}>" if inner else f"<{part.tag}{marks}/>") + part.tail


def _marks(part: Part) -> str:
    meta = dom.meta_words(part.attributes)
    return f" meta={quoted(meta)}" if meta else ""
