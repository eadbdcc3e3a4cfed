"""Pages as trees and texts: each rule of cleaning, pruning and writing on a page small enough to work out by hand."""

import copy
import random
import re
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from lumos_rl.envs.mind2web.tools.dom import (
    ID,
    Page,
    clean_tree,
    format_candidate,
    get_tree_repr,
    parse_page,
    prune_tree,
)
from lumos_rl.envs.mind2web.tools.page_text import PageText
from lumos_rl.errors import DataError, LumosError, UnknownNodeError


def tree(text: str) -> etree._Element:
    """The page that a short form stands for: `#7` is the attribute `backend_node_id="7"`."""
    return parse_page(re.sub(r" #(\d+)", r' backend_node_id="\1"', text))


def short(node: etree._Element) -> str:
    return etree.tostring(node, encoding="unicode").replace(ID, "id")


def test_cleaning_keeps_salient_attributes_and_collapses_them() -> None:
    page = tree('<html #1><a #2 title="  Go\n on " href="/x" class="big" data_x="1"><b #3/><b #4/></a></html>')
    assert (
        short(clean_tree(page, ["3", "4"])) == '<html id="1"><a id="2" title="Go on"><b id="3"/><b id="4"/></a></html>'
    )


@pytest.mark.parametrize(
    "attribute", ['title=" "', 'role="link"', 'role="none"', 'role="presentation"', 'type="hidden"']
)
def test_cleaning_drops_attributes_that_say_nothing(attribute: str) -> None:
    assert short(clean_tree(tree(f"<html #1><a #2 {attribute}/></html>"), ["2"])) == '<html id="1"><a id="2"/></html>'


def test_cleaning_keeps_other_roles_and_types() -> None:
    page = tree('<html #1><a #2 role="button" type="none" alt="hidden"/></html>')
    assert 'role="button" type="none" alt="hidden"' in short(clean_tree(page, []))


def test_classes_stay_on_icons_alone() -> None:
    page = tree('<html #1><svg #2 class="x MyIcon-a  fa icons"/><svg #3 class="logo"/><i #4 class="icon"/></html>')
    cleaned = clean_tree(page, ["3", "4"])
    assert short(cleaned) == '<html id="1"><svg id="2" class="MyIcon-a icons"/><svg id="3"/><i id="4"/></html>'


def test_cleaning_removes_empty_texts_and_collapses_others() -> None:
    page = tree("<html #1><text #2> \n </text><text #3> two\n words </text><text #4/></html>")
    assert short(clean_tree(page, [])) == '<html id="1"><text id="3">two words</text></html>'


def test_cleaning_splices_what_only_wraps() -> None:
    page = tree(
        "<html #1><div #2><p #3><text #4>a</text></p></div><div #5/><div #6><i #7/><i #8 alt='x'/></div></html>"
    )
    #  5 and 7 vanish; 6 is left with one child, which takes its place; 2 gives way to 3, which holds a text
    assert short(clean_tree(page, [])) == ('<html id="1"><p id="3"><text id="4">a</text></p><i id="8" alt="x"/></html>')


def test_cleaning_spares_candidates_and_elements_without_an_id() -> None:
    page = tree("<html #1><div #2/><p/><ul #3><li #4 title='x'/><li #5 title='y'/></ul></html>")
    assert short(clean_tree(page, ["2"])) == (
        '<html id="1"><div id="2"/><p/><ul id="3"><li id="4" title="x"/><li id="5" title="y"/></ul></html>'
    )


WIDE = tree(
    "<html #1><nav #2 title='n'><text #3>menu</text></nav><ul #4 role='list'><text #5>all</text>"
    + "".join(f"<li #{key} title='{key}'><text #{key + 100}>t{key}</text></li>" for key in range(10, 20))
    + "</ul></html>"
)


def test_pruning_keeps_ancestors_and_three_neighbours_on_each_side() -> None:
    pruned = prune_tree(WIDE, ["14"])
    assert [node.get("title") for node in pruned.iter("li")] == [str(key) for key in range(11, 18)]
    assert [node.get(ID) for node in pruned.iter("li")] == [None] * 3 + ["14"] + [None] * 3
    assert pruned.find("nav") is None
    assert [text.text for text in pruned.iter("text")] == ["all", *(f"t{key}" for key in range(11, 18))]
    assert not any(text.attrib for text in pruned.iter("text"))


def test_pruning_with_other_limits() -> None:
    assert [node.get("title") for node in prune_tree(WIDE, ["10"], max_sibling=1).iter("li")] == ["10", "11"]
    # of the list's descendants: its text, the first item with its text, the second item with its text
    assert [node.get("title") for node in prune_tree(WIDE, ["4"], max_children=4).iter("li")] == ["10", "11"]
    assert list(prune_tree(WIDE, ["4"], max_depth=-1).iter("li")) == []


def test_pruning_goes_six_levels_down() -> None:
    chain = "".join(f"<p #{key} title='{key}'>" for key in range(2, 12)) + "</p>" * 10
    assert [node.get("title") for node in prune_tree(tree(f"<html #1>{chain}</html>"), ["2"]).iter("p")] == [
        *(str(key) for key in range(2, 9))
    ]


def test_pruning_splices_what_has_no_attribute_and_no_text() -> None:
    page = tree("<html #1><div #2><div #3><a #4/></div></div><div #5><b #6 title='x'/><b #7 title='y'/></div></html>")
    assert short(prune_tree(page, ["4"])) == '<html><a id="4"/></html>'
    assert short(prune_tree(page, ["6"])) == '<html><div><b title="x" id="6"/><b title="y"/></div></html>'.replace(
        'title="x" id="6"', 'id="6" title="x"'
    )


def test_names_that_are_no_xml_and_namespaces_are_kept() -> None:
    page = tree('<html #1><fb:like #2 on:x="y"><a #3/><!--note--><b #4/></fb:like><c #5><d #6/></c></html>')
    assert short(prune_tree(page, ["3"])) == '<html><fb:like on:x="y"><a id="3"/><!--note--></fb:like></html>'
    page = tree('<html #1 xmlns:s="urn:s"><s:g #2 xmlns="urn:x"><a #3 title="t"/><b #4/></s:g><s:h #5/></html>')
    assert short(prune_tree(page, ["4"])) == (
        '<html xmlns:s="urn:s"><s:g xmlns="urn:x"><a title="t"/><b id="4"/></s:g></html>'
    )


def test_prefixes_are_numbered_in_the_order_in_which_elements_are_spliced() -> None:
    # the comment has no id, which keeps each <u> without one: the last is spliced (ns0), and then goes with its parent
    wrapped = '<u xmlns="urn:s"><i #{} title="t"/></u>'
    page = tree(f"<html #1><a #2><!--note--></a>{wrapped.format(3)}<p #4>{wrapped.format(5)}</p></html>")
    assert short(prune_tree(page, ["2"], max_sibling=1)) == '<html><a id="2"><!--note--></a></html>'
    assert short(prune_tree(page, ["2", "3"], max_sibling=1)) == (
        '<html><a id="2"><!--note--></a><ns1:i xmlns:ns1="urn:s" id="3" title="t"/></html>'
    )


def test_an_unknown_id_is_an_index_error() -> None:
    for call in (lambda: prune_tree(WIDE, ["14", "999"]), lambda: format_candidate(WIDE, {ID: "999"})):
        with pytest.raises(IndexError, match="999"):
            call()
    with pytest.raises(UnknownNodeError):
        PageText(short(WIDE).replace("id=", ID + "=")).candidate("999")


def test_a_page_is_written_in_one_line() -> None:
    page = tree(
        '<div> <button #7 type="SUBMIT" name="Search" value="search"> <text>Go</text></button><img alt="logo"/></div>'
    )
    # "submit", "search" (as name and again as value), then the text
    assert get_tree_repr(page, id_mapping={}) == ("(div (button id=0 submit search Go)(img logo ))", {"7": 0})
    assert get_tree_repr(page, id_mapping={}, keep_html_brackets=True)[0] == (
        "<div> <button id=0 submit search> Go</button><img logo /></div>"
    )
    assert get_tree_repr("<b title='x'><text>no blank before this</text></b>")[0] == "(b xno blank before this)"


def test_attributes_are_shown_in_their_order_and_cut() -> None:
    page = tree(
        '<a title="one two three four five six" role="Tab" href="x" alt="fourteenletter fifteenletters1 b"'
        ' aria_label="none" label="https://x y" name="tab"/>'
    )
    assert get_tree_repr(page)[0] == "(a tab fourteenletter b one two three four five )"
    assert get_tree_repr(page, max_value_length=2)[0] == "(a tab fourteenletter b one two )"
    assert get_tree_repr(page, max_length=2)[0] == "(a tab fourteenletter )"


def test_texts_are_cut_after_twenty_words() -> None:
    page = tree(f"<p><text>{' '.join('abcdefghijklmnopqrstuvwxyz')}</text></p>")
    assert get_tree_repr(page)[0] == f"(p{' '.join('abcdefghijklmnopqrst')})"


def test_ids_are_counted_on_from_a_given_mapping() -> None:
    page = tree("<a #5><b #6/><b #5/></a>")
    mapping = {"9": 0, "6": "six"}
    assert get_tree_repr(page, id_mapping=mapping) == ("(a id=2(b id=six )(b id=2 ))", {"9": 0, "6": "six", "5": 2})
    assert get_tree_repr(page)[1] == {"5": 0, "6": 1}
    assert get_tree_repr(page)[1] == {"5": 0, "6": 1}, "the default mapping is not shared"


def test_entities_are_written_as_characters_once_all_is_cut() -> None:
    page = tree("<p><text>a &lt;b&gt; &amp;amp; &amp;#40;x&amp;#41; \u201cq\u201d \u00a0 &amp;lt;</text></p>")
    # in the markup "&amp;amp;": one pass replaces "&amp;" and does not look at what is left; later passes do
    assert get_tree_repr(page)[0] == "(pa <b> &amp; (x) \u201cq\u201d <)"


def test_a_candidate_is_its_ancestors_and_itself() -> None:
    page = tree(
        "<html #1> <ul #2 role='list'> <text #3>Menu</text> <li #4 title='Home'/>"
        "<li #5> <text #6>Cart (2)</text></li> tail</ul></html>"
    )
    assert format_candidate(page, {ID: "5"}) == "ancestors: /html/ul list Menu/li home\ntarget: (li id=0 Cart (2)) tail"
    assert format_candidate(page, {ID: "1"}).startswith("ancestors: \ntarget: (html id=0 (ul list Menu (li home )")


def test_a_candidate_shows_the_last_50_and_the_first_100_words() -> None:
    words = [f"w{number}" for number in range(20)]
    texts = "".join(f"<p #{key}><text>{' '.join(words)}</text></p>" for key in range(10, 14))
    inside = "<b title='x y'/>" * 45
    ancestors, target = format_candidate(tree(f"<html #1>{texts}<a #2>{inside}</a></html>"), {ID: "2"}).split("\n")
    # three neighbours: "/html/pw0 w1 … w19/pw0 … w19/pw0 … w19" has 58 words, of which the first 8 are cut
    shown = [*words[8:19], "w19/pw0", *words[1:19], "w19/pw0", *words[1:]]
    assert ancestors == f"ancestors: {' '.join(shown)}"
    assert len(target.removeprefix("target: ").split()) == 100


def test_pages_are_texts_elements_or_documents() -> None:
    text = etree.tostring(WIDE, encoding="unicode")
    for page in (text, WIDE, etree.ElementTree(WIDE), Page(text)):
        assert short(clean_tree(raw=page, candidate_ids=["14"])) == short(clean_tree(WIDE, ["14"]))
        assert short(prune_tree(tree=page, ids=["14"])) == short(prune_tree(WIDE, ["14"]))
        assert get_tree_repr(tree=page, id_mapping={}) == get_tree_repr(WIDE)
        assert format_candidate(tree=page, candidate={ID: "14"}) == format_candidate(WIDE, {ID: "14"})


def test_nothing_changes_the_given_tree() -> None:
    before = short(WIDE)
    clean_tree(WIDE, [])
    prune_tree(WIDE, ["4"])
    get_tree_repr(WIDE)
    format_candidate(WIDE, {ID: "14"})
    assert short(WIDE) == before


@pytest.mark.parametrize(
    "text",
    [
        "<html><p>unclosed",
        "<html><br><b></html>",
        "<a>&nbsp;&unknown;</a>",
        "<a b=c d>x</a>",
        '<?xml version="1.0" encoding="UTF-16"?><a>é</a>',
        "<a>\x00\x01\ud800</a>",
        "<a>" * 5_000,
        "<!DOCTYPE html><html/>",
        "<a/><b/>",
    ],
)
def test_bad_markup_is_mended(text: str) -> None:
    assert get_tree_repr(text)[0].startswith(("(html", "(a"))


@pytest.mark.parametrize("text", ["", "  ", "no markup at all", "<"])
def test_what_holds_no_element_is_an_error(text: str) -> None:
    with pytest.raises(DataError, match="expected a page"):
        parse_page(text)


def test_entities_are_never_expanded() -> None:
    bomb = '<!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;&x;&x;">]><a><text>&y;&y;</text></a>'
    assert "haha" not in get_tree_repr(bomb)[0]


TAGS = ("div", "a", "svg", "text", "input", "text")
VALUES = st.sampled_from(
    ["", " ", "Search", "icon x", "hidden", "none", "http://x", "a b c d e f g", '<&">', "(", "é日", "$/$"]
)
NAMES = st.sampled_from(["role", "type", "class", "title", "value", "style", "meta", "id"])


@st.composite
def pages(draw: st.DrawFn, regular: bool = False) -> etree._Element:
    root = etree.Element("html", {ID: "1"})
    inner = [root]
    for number in range(draw(st.integers(1, 25))):
        parent = draw(st.sampled_from(inner))
        tag = draw(st.sampled_from(TAGS))
        node = etree.SubElement(parent, tag, {ID: str(number + 2)})
        if not regular and draw(st.integers(0, 9)) == 0:
            node.attrib[ID] = draw(st.sampled_from(["", "1", "3"]))
            parent.append(etree.Comment("note"))
        node.tail = draw(VALUES)
        if tag == "text" or draw(st.booleans()):
            node.text = draw(VALUES)
        if tag != "text" or not regular:
            node.attrib.update(draw(st.dictionaries(NAMES, VALUES, max_size=3)))
            inner.append(node)
    return root


def elements(root: etree._Element) -> Iterator[etree._Element]:
    return (node for node in root.iter(etree.Element) if node.tag != "text")


@settings(max_examples=60, deadline=None)
@given(pages(), st.randoms(use_true_random=False))
def test_any_page_can_be_cleaned_pruned_and_written(page: etree._Element, rng: random.Random) -> None:
    before = etree.tostring(page)
    keys = [key for key, node in Page(page).nodes.items() if key and node.tag != "text"]
    chosen = rng.sample(keys, min(3, len(keys)))
    cleaned = clean_tree(page, chosen)
    left = Page(cleaned).nodes  # an empty text goes with all in it; another element may have had the same id
    chosen = [key for key in chosen if key in left and left[key].tag != "text"]
    for given_page in (page, cleaned):
        pruned = prune_tree(given_page, chosen)
        assert {node.get(ID) for node in elements(pruned)} - {None} == set(chosen), (
            "the candidates keep their ids, and no other"
        )
        text, mapping = get_tree_repr(pruned, id_mapping={})
        assert list(mapping.values()) == list(range(len(chosen))) and set(mapping) == set(chosen)
        assert "\n" not in text
        for key in chosen:
            ancestors, _, target = format_candidate(given_page, {ID: key}).partition("\ntarget: ")
            assert ancestors.startswith("ancestors: ") and "id=0" in target
    assert etree.tostring(page) == before


@settings(max_examples=60, deadline=None)
@given(st.booleans(), st.data())
def test_texts_made_from_pieces_equal_those_made_from_trees(regular: bool, data: st.DataObject) -> None:
    markup = etree.tostring(data.draw(pages(regular=regular)), encoding="unicode")
    page, fast = Page(markup), PageText(markup)
    chosen = [key for key, node in page.nodes.items() if node.tag != "text" and key]
    assert fast.around(chosen) == get_tree_repr(prune_tree(page, chosen), id_mapping={})
    for key in chosen:
        assert fast.around([key], {}) == get_tree_repr(prune_tree(page, [key]), id_mapping={})
        assert fast.candidate(key) == format_candidate(page, {ID: key})


def test_a_page_that_only_speaks_of_namespaces_is_made_from_pieces() -> None:
    markup = f'<html {ID}="1"><a {ID}="2"><text>xmlns="x"</text></a></html>'
    assert PageText(markup)._parts and not PageText(markup.replace("<a", '<a xmlns="x"'))._parts
    assert PageText(markup).around(["2"]) == get_tree_repr(prune_tree(markup, ["2"]), id_mapping={})


def test_a_page_of_20_000_nodes() -> None:
    rng = random.Random(0)
    root = etree.Element("html", {ID: "0"})
    nodes = [root]
    for number in range(1, 20_000):
        tag = rng.choice(("div", "a", "text"))
        node = etree.SubElement(rng.choice(nodes), tag, {ID: str(number)})
        if tag == "text":
            node.text = f"word {number}"
        else:
            nodes.append(node)
    top = [node.get(ID) for node in rng.sample(nodes[1:], 50)]
    page = PageText(etree.tostring(root, encoding="unicode"))
    text, mapping = page.around(top)
    assert set(mapping) == set(top)
    assert (text, mapping) == get_tree_repr(prune_tree(root, top), id_mapping={})
    assert copy.deepcopy(page) is page
    assert isinstance(UnknownNodeError("x"), LumosError)
