"""Words that can replace each other in a problem: first names, and things that can be counted.

    swap_words("Tom has 12 pens, Ann has 3.", random.Random(0))    # {"Tom": "Rosa", "pens": "lemons", "Ann": "Leo"}
    replace_words("Tom's pens", {"Tom": "Rosa", "pens": "lemons"}) # "Rosa's lemons"

A model that learns from few annotated problems can recognise each by its names and things. With other words it has to
read the rest of the problem.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping

PEOPLE = tuple(
    (
        "Aaron Adam Alan Alice Alma Amanda Amir Amy Andrea Ann Anna Anne Ashley Ben Benny Billy Bobby Brenda"
        " Bridget Bruno Carol Charles Chloe Christine Clara Connie Craig Dan Dave David Diana Diane Ed Ella Ellen"
        " Emily Emma Eric Eva Evan Faye Frank Fred George Gina Gloria Grace Gwen Haley Harold Harry Heather Helen"
        " Henry Hugo Ida Iris Ivan Jack James Jane Janet Jason Jean Jenny Jerry Jessica Joan John Jonah Jose"
        " Joshua Joyce Juan Julia Karen Katie Keith Kelly Kim Lana Larry Lea Leo Lin Lisa Lucy Luke Maria Marie"
        " Mark Martha Martin Mary Max Megan Melanie Mia Michelle Mike Mohamed Nancy Nina Noah Nora Norma Oliver"
        " Omar Oscar Pablo Pam Patrick Paul Paula Peter Rachel Raj Ralph Rita Robin Roger Rosa Ruth Sally Sam"
        " Sandy Sara Sarah Sean Shirley Sofia Steve Susan Teresa Theo Tim Todd Tom Tony Uma Vera Victor Wendy"
        " William Yan Yuki Zoe"
    ).split()
)
THINGS = tuple(
    (
        "apples bananas balls balloons baskets beads birds blocks books bottles bowls bracelets brownies buckets"
        " buttons cakes candies candles cans cards carrots chairs cherries clips coins cookies crayons cups"
        " cupcakes dolls drums ducks eggs envelopes erasers feathers flowers forks hats jars keys kites lamps"
        " leaves lemons limes magazines marbles markers medals melons mittens muffins mugs nails needles notebooks"
        " nuts onions oranges peaches peanuts pearls pears pebbles pencils pens pies pillows pins plates plums"
        " posters potatoes puzzles ribbons rings rocks roses rulers scarves seashells seeds shells shirts socks"
        " spoons stamps stars stickers stones strawberries tiles tomatoes toys trees tulips turnips umbrellas"
        " vases watches"
    ).split()
)
_CLASSES = (PEOPLE, THINGS)
_WORD = re.compile(r"[^\W\d_]+")


def swap_words(text: str, rng: random.Random) -> Mapping[str, str]:
    """A new word for each name and thing in a text; the text does not contain the new words.

    A thing that the text also names in the singular is not replaced.
    """
    words = set(_WORD.findall(text))
    swaps: dict[str, str] = {}
    for members in _CLASSES:
        used = [word for word in members if word in words and word.removesuffix("s") not in words - {word}]
        free = [word for word in members if word not in words]
        swaps |= zip(used, rng.sample(free, len(used)), strict=True)
    return swaps


def replace_words(text: str, swaps: Mapping[str, str]) -> str:
    """The text with whole words replaced."""
    return _WORD.sub(lambda match: swaps.get(match[0], match[0]), text)
