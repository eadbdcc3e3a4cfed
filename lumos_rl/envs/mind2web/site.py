"""Makes the pages of the built-in websites in the format of the dataset: raw, clean, and with their candidates.

    record = make_record("mind2web/train/synthetic-0", site(0, "Norfield"), words, moves(KINDS[0], "search", words))
    record["actions"][0].keys()    # action_uid, raw_html, cleaned_html, operation, pos_candidates, neg_candidates

Every page of a website has its header with menu and search bar, its footer and some wrappers; the content between them
depends on the view. Wrappers, the number of links and the layout are drawn with a seed of the website.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from lumos_rl.envs.mind2web.kinds import MONTHS, TOPICS, Move, Site, Words
from lumos_rl.envs.mind2web.tools.dom import clean_tree, page_markup, parse_page
from lumos_rl.envs.mind2web.unseen import LANGUAGES, STARS

_FOOTER = ("About", "Press", "Careers", "Privacy", "Terms of use", "Cookies", "Sitemap", "Newsletter", "Help", "Blog")
_ACTED_ON = frozenset({"a", "button", "input", "select", "label", "li", "td", "img", "svg", "span", "h2", "h3", "p"})
_DAYS = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")


@dataclass(slots=True)
class Node:
    """An element of a page under construction.

    Attributes:
        tag: Its tag.
        attributes: Its attributes.
        content: Texts and elements in it.
        name: Its name in moves; "" if no move acts on it.
        key: Its `backend_node_id`.
    """

    tag: str
    attributes: dict[str, str]
    content: list[str | Node]
    name: str = ""
    key: str = ""

    def walk(self) -> Iterator[Node]:
        """The element and all its descendants, in document order."""
        yield self
        for part in self.content:
            if isinstance(part, Node):
                yield from part.walk()


def _el(tag: str, *content: str | Node, name: str = "", **attributes: str) -> Node:
    return Node(tag, attributes, list(content), name)


def make_record(key: str, chosen: Site, words: Words, moves: Sequence[Move]) -> dict[str, Any]:
    """The record of a task, without its sentence.

    Args:
        key: The task's id.
        chosen: The website.
        words: The task's words.
        moves: Its steps.
    """
    rng = random.Random(key)
    actions = [_action(_Pages(chosen, words), move, f"{key}/{index}", rng) for index, move in enumerate(moves)]
    domain, subdomain = chosen.kind.domain
    return {
        "annotation_id": key.replace("/", "-"),
        "website": chosen.name.lower(),
        "domain": domain,
        "subdomain": subdomain,
        "confirmed_task": "",
        "action_reprs": [move.text for move in moves],
        "actions": actions,
    }


def _action(pages: _Pages, move: Move, uid: str, rng: random.Random) -> dict[str, Any]:
    page = pages.page(move.view)
    key = rng.randint(100, 400)
    for node in page.walk():
        node.key = str(key)
        key += rng.randint(1, 3) + sum(isinstance(part, str) for part in node.content)
    gold = next(node for node in page.walk() if node.name == move.target)
    gold.attributes["data_pw_testid_buckeye"] = uid
    acted_on = [node for node in page.walk() if node.tag in _ACTED_ON]
    raw = _markup(page)
    return {
        "action_uid": uid,
        "raw_html": raw,
        "cleaned_html": page_markup(clean_tree(parse_page(raw), [node.key for node in acted_on])),
        "operation": {
            "op": "CLICK" if move.op == "HOVER" else move.op,
            "value": move.value,
            "original_op": move.op,
        },
        "pos_candidates": [_candidate(gold) | {"is_original_target": True, "is_top_level_target": True}],
        "neg_candidates": [_candidate(node) for node in acted_on if node is not gold],
    }


def _candidate(node: Node) -> dict[str, Any]:
    attributes = {"backend_node_id": node.key, **node.attributes}
    return {"tag": node.tag, "attributes": json.dumps(attributes), "backend_node_id": node.key}


def _markup(node: Node) -> str:
    """The element in the dataset's format: blanks between tags, texts in their own elements."""
    shown = "".join(f" {name}={quoteattr(value)}" for name, value in node.attributes.items())
    after, parts = int(node.key), []
    for part in node.content:
        if isinstance(part, Node):
            parts.append(_markup(part))
        else:
            after += 1
            parts.append(f'<text backend_node_id="{after}">{escape(part)}</text>')
    return f'<{node.tag} backend_node_id="{node.key}"{shown}> {" ".join(parts)} </{node.tag}>'


@dataclass(slots=True)
class _Pages:
    """The pages of a website, for one task."""

    site: Site
    words: Words
    rng: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.rng = random.Random(f"pages/{self.site.name}")

    def page(self, view: str) -> Node:
        self.rng.seed(f"pages/{self.site.name}/{view}")
        name, _, part = view.partition("-")
        middle: list[str | Node] = getattr(self, f"_{name}")(*([int(part)] if part else []))
        main = _el("div", *middle, id="main", role="main", **_box(self.rng))
        for _ in range(self.rng.randrange(4)):
            main = _el("div", main, **_box(self.rng))
        return _el("html", _el("body", self._header(), main, self._footer(), **_box(self.rng)))

    def _header(self) -> Node:
        kind, rng = self.site.kind, self.rng
        menu = []
        for number, (heading, entries) in enumerate(kind.menu.items()):
            inside = [
                _el("li", _link(entry, rng, name="entry" if entry == self.words["entry"] else "")) for entry in entries
            ]
            name = ("heading", "list")[number] if number < 2 else ""
            top = _el("a", _el("span", heading), role="menuitem", href="/", name=name, **_box(rng))
            menu.append(_el("li", top, _el("ul", *inside, **_box(rng))))
        bar = _el("input", type="search", placeholder="Search this site", name="find", **_box(rng))
        bar.attributes["name"] = "q"
        go = _el("button", _el("svg", **{"class": "icon-magnifier big"}), type="submit", aria_label="Go", **_box(rng))
        logo = _el("a", _el("img", alt=f"{self.site.name} logo", src="/logo.png"), href="/", title=self.site.name)
        return _el("header", logo, _el("nav", _el("ul", *menu), role="navigation"), _el("form", bar, go, role="search"))

    def _footer(self) -> Node:
        rng = self.rng
        links = rng.sample(_FOOTER, rng.randint(6, len(_FOOTER)))
        places = [_el("li", _link(text, rng)) for text in links]
        places.insert(rng.randrange(len(places)), _el("li", _link("Contact us", rng, name="contact")))
        return _el("footer", _el("ul", *places), _el("p", f"© {self.site.name}. All rights reserved."))

    def _home(self) -> list[str | Node]:
        cards = [self._card(thing, "") for thing in self.site.things[:6]]
        return [_el("h2", f"Welcome to {self.site.name}"), _el("div", *cards, **_box(self.rng))]

    def _form(self, picker: Node | None = None) -> list[str | Node]:
        kind, rng = self.site.kind, self.rng
        fields = [
            _field(kind.place[0], _el("input", type="text", aria_label=kind.place[0], name="place", **_box(rng))),
            _field(kind.when, _el("input", type="text", aria_label=kind.when, readonly="1", name="when", **_box(rng))),
            _field(kind.who[0], _select(kind.who[0], kind.who[1], "who", rng)),
        ]
        rng.shuffle(fields)
        offers = [_link(f"See all of {group}", rng) for group in kind.filters]
        submit = _el("button", _el("span", "Search now"), type="submit", name="submit", **_box(rng))
        extra = _el("label", _el("input", type="checkbox", value="remember"), "Remember my choices")
        return [_el("form", *fields, *([picker] if picker else []), extra, submit), _el("div", *offers)]

    def _picker(self, month: int) -> list[str | Node]:
        rng = self.rng
        cells = [
            _el(
                "td",
                str(day),
                role="gridcell",
                aria_label=f"{day} {MONTHS[month]}",
                name="day" if self.words["date"] == str(day) else "",
                **_box(rng),
            )
            for day in range(1, 29)
        ]
        rows = [_el("tr", *cells[start : start + 7]) for start in range(0, 28, 7)]
        head = _el("tr", *(_el("th", day) for day in _DAYS))
        back = _el("button", "‹", aria_label="Previous month", type="button", **_box(rng))
        on = _el("button", "›", aria_label="Next month", type="button", name="next", **_box(rng))
        grid = _el("table", head, *rows, role="grid")
        return self._form(_el("div", back, _el("span", MONTHS[month]), on, grid, role="dialog", **_box(rng)))

    def _list(self) -> list[str | Node]:
        kind, rng = self.site.kind, self.rng
        groups = [
            _el("div", _el("h3", group), *(self._box_to_tick(box) for box in boxes))
            for group, boxes in kind.filters.items()
        ]
        cards = [self._card(thing, "thing" if thing == self.words["thing"] else "") for thing in self.site.things]
        rng.shuffle(cards)
        sort = _field("Sort by", _select("Sort by", kind.sorts, "sort", rng))
        return [_el("div", *groups, **_box(rng)), sort, _el("ul", *(_el("li", card) for card in cards))]

    def _box_to_tick(self, box: str) -> Node:
        name = "box" if box == self.words["box"] else ""
        return _el("label", _el("input", type="checkbox", value=box, name=name, **_box(self.rng)), _el("span", box))

    def _card(self, thing: str, name: str) -> Node:
        rng = self.rng
        price = _el("span", f"from {rng.randint(9, 400)}")
        image = _el("img", alt="photo", src="/photo.jpg", **_box(rng))
        more = _el("button", "Save for later", type="button", **_box(rng))
        return _el("div", image, _link(thing, rng, name=name), price, more, **_box(rng))

    def _item(self) -> list[str | Node]:
        kind, rng = self.site.kind, self.rng
        tabs = [_el("button", text, role="tab", **_box(rng)) for text in ("Overview", "Reviews", "Questions")]
        act = _el("button", _el("span", kind.act), type="submit", name="act", **_box(rng))
        form = _el("form", _field(kind.option[0], _select(kind.option[0], kind.option[1], "option", rng)), act)
        return [_el("h2", self.words["thing"]), _el("div", *tabs), form, _el("div", *self._others())]

    def _contact(self) -> list[str | Node]:
        rng = self.rng
        person = _el("input", type="text", aria_label="Your name", name="person", **_box(rng))
        topic = _select("Subject of your message", TOPICS, "topic", rng)
        mail = _el("input", type="email", aria_label="Email address", placeholder="name@example.org", **_box(rng))
        send = _el("button", "Send message", type="submit", name="send", **_box(rng))
        fields = [_field("Your name", person), _field("Email address", mail), _field("Subject of your message", topic)]
        return [_el("h2", "Write to us"), _el("form", *fields, _el("textarea", placeholder="Message"), send)]

    def _track(self) -> list[str | Node]:
        kind, rng = self.site.kind, self.rng
        number = _el("input", type="text", aria_label=kind.place[0], name="code", **_box(rng))
        show = _el("button", _el("span", "Show me"), type="submit", name="show", **_box(rng))
        recent = [_el("tr", _el("td", thing), _el("td", "done")) for thing in self.site.things[:5]]
        fields = [_field(kind.place[0], number), _field(kind.who[0], _select(kind.who[0], kind.who[1], "who", rng))]
        return [_el("form", *fields, show), _el("h3", "Lately"), _el("table", *recent, **_box(rng))]

    def _settings(self) -> list[str | Node]:
        kind, rng, wanted = self.site.kind, self.rng, self.words
        tabs = [
            _el("button", group, role="tab", name="tab" if group == wanted.get("group") else "", **_box(rng))
            for group in kind.filters
        ]
        switches = [
            _el("button", role="switch", aria_label=box, name="box" if box == wanted["box"] else "", **_box(rng))
            for boxes in kind.filters.values()
            for box in boxes
        ]
        language = _field("Display language", _select("Display language", LANGUAGES, "language", rng))
        save = _el("button", "Save changes", type="submit", name="save", **_box(rng))
        undo = _el("button", "Undo", type="button", **_box(rng))
        return [
            _el("div", *tabs, role="tablist"),
            _el("ul", *(_el("li", each) for each in switches)),
            language,
            save,
            undo,
        ]

    def _review(self) -> list[str | Node]:
        rng, wanted = self.rng, self.words
        stars = [
            _el(
                "label",
                _el("input", type="radio", aria_label=star, name="stars" if star == wanted.get("stars") else ""),
                star,
            )
            for star in STARS
        ]
        text = _el("textarea", aria_label="Your review", name="remark", **_box(rng))
        form = _el("form", *stars, text, _el("button", "Publish review", type="submit", name="publish", **_box(rng)))
        return [_el("h2", wanted["thing"]), form, _el("p", "Reviews appear after a day."), _el("div", *self._others())]

    def _basket(self) -> list[str | Node]:
        kind, rng = self.site.kind, self.rng
        option = _field(kind.option[0], _select(kind.option[0], kind.option[1], "option", rng))
        code = _el(
            "input", type="text", placeholder="Promotion code", aria_label="Promotion code", name="code", **_box(rng)
        )
        use = _el("button", "Apply code", type="button", name="apply", **_box(rng))
        act = _el("button", _el("span", kind.act), type="submit", name="act", **_box(rng))
        remove = _el("button", "Remove", aria_label=f"Remove {self.words['thing']}", type="button", **_box(rng))
        row = _el("tr", _el("td", self.words["thing"]), _el("td", option), _el("td", remove))
        return [_el("h2", "Your basket"), _el("table", row), _el("div", code, use), act, _el("div", *self._others())]

    def _others(self) -> list[Node]:
        return [self._card(thing, "") for thing in self.site.things if thing != self.words["thing"]][:3]


def _field(label: str, control: Node) -> Node:
    return _el("div", _el("label", label), control)


def _link(text: str, rng: random.Random, name: str = "") -> Node:
    return _el("a", text, href="/" + text.lower().replace(" ", "-"), name=name, **_box(rng))


def _select(label: str, options: Sequence[str], name: str, rng: random.Random) -> Node:
    return _el("select", *(_el("option", option) for option in options), aria_label=label, name=name, **_box(rng))


def _box(rng: random.Random) -> dict[str, str]:
    """Random attributes that cleaning removes."""
    place = ",".join(str(rng.randrange(900)) for _ in range(4))
    return {"bounding_box_rect": place, "class": f"c{rng.randrange(1000)}"}
