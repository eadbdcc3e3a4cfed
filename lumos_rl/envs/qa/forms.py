"""Question forms of the splits train, dev and test of the built-in suites; those of "unseen" are in `unseen`.

PHRASES["film", "director"]    "the director of the film {x}", "the person who directed the film {x}"
CHOICES["city", "population"]  "Which city has more inhabitants, {a} or {b}?"
STRATEGIES[0]                  "Could {a} have seen the film {b} when it was released?", "{0} <= {1}"
"""

from __future__ import annotations

from collections.abc import Mapping

from lumos_rl.envs.qa import unseen

# (kind, relation) → the question that asks for it, and its wording in a subgoal.
QUESTIONS: Mapping[tuple[str, str], tuple[str, str]] = {
    ("film", "director"): ("Who directed the film {x}?", "who directed {x}"),
    ("novel", "author"): ("Who wrote the novel {x}?", "who wrote {x}"),
    ("company", "founder"): ("Who founded {x}?", "who founded {x}"),
    ("band", "singer"): ("Who is the singer of {x}?", "who sings in {x}"),
    ("company", "seat"): ("In which city are the headquarters of {x}?", "the city of the headquarters of {x}"),
    ("band", "origin"): ("In which city was {x} formed?", "the city in which {x} was formed"),
    ("person", "birthplace"): ("In which city was {x} born?", "the city in which {x} was born"),
    ("person", "year"): ("In which year was {x} born?", "the year in which {x} was born"),
    ("city", "country"): ("In which country is {x}?", "the country of {x}"),
    ("city", "population"): ("How many inhabitants does {x} have?", "how many inhabitants {x} has"),
    ("city", "year"): ("In which year was {x} founded?", "the year in which {x} was founded"),
    ("film", "year"): ("In which year was the film {x} released?", "the year in which {x} was released"),
    ("novel", "year"): ("In which year was the novel {x} published?", "the year in which {x} was published"),
    ("company", "year"): ("In which year was {x} founded?", "the year in which {x} was founded"),
    ("band", "year"): ("In which year was {x} formed?", "the year in which {x} was formed"),
    **unseen.QUESTIONS,
}
PHRASES: Mapping[tuple[str, str], tuple[str, ...]] = {  # descriptions of an entity that a question does not name
    ("film", "director"): ("the director of the film {x}", "the person who directed the film {x}"),
    ("novel", "author"): ("the author of the novel {x}", "the writer of the novel {x}"),
    ("company", "founder"): ("the founder of {x}", "the person who founded {x}"),
    ("band", "singer"): ("the singer of {x}", "the singer of the band {x}"),
    ("company", "seat"): ("the city with the headquarters of {x}", "the city where {x} has its headquarters"),
    ("band", "origin"): ("the city where the band {x} was formed", "the home city of the band {x}"),
}
LAST_HOPS: Mapping[str, tuple[str, ...]] = {
    "person": ("birthplace", "year"),
    "city": ("country", "population", "year"),
}
ASKED: Mapping[tuple[str, str], str] = {  # other wordings of the last hop
    ("person", "birthplace"): "What is the birthplace of {x}?",
    ("person", "year"): "What is the year of birth of {x}?",
    ("city", "country"): "Which country is {x} in?",
    ("city", "population"): "What is the number of inhabitants of {x}?",
    ("city", "year"): "What year was {x} founded in?",
}

# (kind, relation) → questions for a choice, each with whether it asks for the smaller value.
CHOICES: Mapping[tuple[str, str], tuple[tuple[str, bool], ...]] = {
    ("person", "year"): (
        ("Who was born earlier, {a} or {b}?", True),
        ("Who was born later, {a} or {b}?", False),
        ("Who is the older one, {a} or {b}?", True),
        ("Who is younger, {a} or {b}?", False),
    ),
    ("city", "population"): (
        ("Which city has more inhabitants, {a} or {b}?", False),
        ("Which city has fewer inhabitants, {a} or {b}?", True),
    ),
    ("film", "year"): (("Which film was released first, {a} or {b}?", True),),
    ("novel", "year"): (
        ("Which novel was published earlier, {a} or {b}?", True),
        ("Which novel was published later, {a} or {b}?", False),
    ),
    ("company", "year"): (
        ("Which company was founded first, {a} or {b}?", True),
        ("Which company was founded later, {a} or {b}?", False),
    ),
    ("band", "year"): (
        ("Which band was formed later, {a} or {b}?", False),
        ("Which band was formed first, {a} or {b}?", True),
    ),
}
# (kind, relation) → yes-or-no questions about two entities, each with the calculation that decides it.
VERDICTS: Mapping[tuple[str, str], tuple[tuple[str, str], ...]] = {
    ("person", "birthplace"): (("Were {a} and {b} born in the same city?", "{0} = {1}"),),
    ("person", "year"): (("Was {a} born before {b}?", "{0} < {1}"),),
    ("city", "country"): (("Are {a} and {b} in the same country?", "{0} = {1}"),),
    ("city", "population"): (
        ("Does {a} have more inhabitants than {b}?", "{0} > {1}"),
        ("Does {a} have more than twice as many inhabitants as {b}?", "{0} > 2 * {1}"),
    ),
    ("city", "year"): (("Is {a} an older city than {b}?", "{0} < {1}"),),
    ("company", "year"): (("Is {a} an older company than {b}?", "{0} < {1}"),),
    ("company", "seat"): (("Are {a} and {b} based in the same city?", "{0} = {1}"),),
    ("band", "year"): (("Was the band {a} formed before the band {b}?", "{0} < {1}"),),
    ("band", "origin"): (("Were {a} and {b} formed in the same city?", "{0} = {1}"),),
}
# Yes-or-no questions with implicit steps: first and second chain, question, calculation.
STRATEGIES: tuple[tuple[tuple[str, ...], tuple[str, ...], str, str], ...] = (
    (("person", "year"), ("film", "year"), "Could {a} have seen the film {b} when it was released?", "{0} <= {1}"),
    (("person", "year"), ("novel", "year"), "Was {a} already born when the novel {b} came out?", "{0} <= {1}"),
    (("person", "year"), ("company", "year"), "Was {a} alive when {b} was founded?", "{0} <= {1}"),
    (("film", "director", "year"), ("company", "year"), "Is the director of the film {a} older than {b}?", "{0} < {1}"),
    (("novel", "author", "year"), ("person", "year"), "Is {b} younger than the author of the novel {a}?", "{1} > {0}"),
    (
        ("film", "director", "birthplace"),
        ("novel", "author", "birthplace"),
        "Do the director of the film {a} and the author of the novel {b} come from the same city?",
        "{0} = {1}",
    ),
    (
        ("company", "seat", "country"),
        ("band", "origin", "country"),
        "Could the band {b} visit the headquarters of {a} without leaving its home country?",
        "{0} = {1}",
    ),
    (("band", "year"), ("film", "year"), "Could the film {b} have used a song of {a} when it was made?", "{0} <= {1}"),
    (
        ("film", "director", "year"),
        ("novel", "author", "year"),
        "Is the director of the film {a} older than the author of the novel {b}?",
        "{0} < {1}",
    ),
    (
        ("company", "founder", "year"),
        ("band", "singer", "year"),
        "Is the founder of {a} younger than the singer of {b}?",
        "{0} > {1}",
    ),
    (
        ("company", "seat", "population"),
        ("city", "population"),
        "Do fewer people live in the city of the headquarters of {a} than in {b}?",
        "{0} < {1}",
    ),
    (
        ("band", "singer", "birthplace"),
        ("company", "founder", "birthplace"),
        "Do the singer of {a} and the founder of {b} come from the same city?",
        "{0} = {1}",
    ),
    (
        ("novel", "author", "birthplace", "country"),
        ("city", "country"),
        "Was the author of the novel {a} born in the country in which {b} is?",
        "{0} = {1}",
    ),
    (("novel", "year"), ("band", "year"), "Could {b} have named itself after the novel {a}?", "{0} <= {1}"),
    (("person", "year"), ("band", "year"), "Was {b} formed after the birth of {a}?", "{0} < {1}"),
)
