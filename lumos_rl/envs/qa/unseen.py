"""Question forms of the split "unseen" of the built-in suites: relations, depths and operations of no other split.

    DEEP[0]      ("film", "director", "birthplace", "country"), "In which country was the director of {x} born?"
    CHOICES      "Which film is longer, {a} or {b}?"           # training never asks for a length
    STRATEGIES   "Was {a} an adult when the band {b} was formed?", "{1} - {0} >= 18"

A form is named by its relations and its place in its table, e.g. "deep/film-director-birthplace-country/0".
"""

from __future__ import annotations

from collections.abc import Mapping

# (kind, relation) → as `lumos_rl.envs.qa.forms.QUESTIONS`, for relations that no other split asks about.
QUESTIONS: Mapping[tuple[str, str], tuple[str, str]] = {
    ("film", "length"): ("How many minutes does the film {x} last?", "how many minutes {x} lasts"),
    ("novel", "pages"): ("How many pages does the first edition of {x} have?", "how many pages {x} has"),
    ("company", "staff"): ("How many people work at {x}?", "how many people work at {x}"),
    ("country", "capital"): ("What is the capital of {x}?", "the capital of {x}"),
}
# A kind with the relations to follow from it, and questions for the end of that chain.
DEEP: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (
        ("film", "director", "birthplace", "country"),
        ("In which country is the birthplace of whoever directed {x}?", "{x}: from which country is its director?"),
    ),
    (
        ("novel", "author", "birthplace", "population"),
        ("How many inhabitants has the place where the author of {x} was born?",),
    ),
    (
        ("novel", "author", "birthplace", "country"),
        ("Name the country from which the author of {x} comes.", "The author of {x} was born in which country?"),
    ),
    (
        ("company", "founder", "birthplace", "country"),
        ("From which country did the founder of {x} come?", "Name the country in which the founder of {x} was born."),
    ),
    (
        ("band", "singer", "birthplace", "year"),
        ("When was the town founded in which the singer of {x} was born?",),
    ),
    (
        ("company", "seat", "country", "capital"),
        ("What is the capital of the country in which {x} has its headquarters?",),
    ),
    (("band", "origin", "country", "capital"), ("Name the capital of the country where {x} was formed.",)),
    (("city", "country", "capital"), ("What is the capital of the country that {x} belongs to?",)),
    (
        ("person", "birthplace", "country"),
        ("Which country does {x} come from?", "In which country was {x} born?"),
    ),
    (
        ("person", "birthplace", "population"),
        ("How many people live in the place where {x} was born?",),
    ),
    (("person", "birthplace", "country", "capital"), ("What is the capital of the country in which {x} was born?",)),
)
CHOICES: Mapping[tuple[str, str], tuple[tuple[str, bool], ...]] = {  # as in `lumos_rl.envs.qa.forms`
    ("film", "length"): (
        ("Which film is longer, {a} or {b}?", False),
        ("Which film has fewer minutes, {a} or {b}?", True),
    ),
    ("novel", "pages"): (
        ("Which novel has more pages, {a} or {b}?", False),
        ("Of the novels {a} or {b}, which one is shorter?", True),
    ),
    ("company", "staff"): (
        ("Where do more people work, {a} or {b}?", False),
        ("Which has fewer employees, {a} or {b}?", True),
    ),
    ("city", "year"): (("Which city was founded earlier, {a} or {b}?", True), ("Which is older, {a} or {b}?", True)),
    ("film", "year"): (("Which film came out later, {a} or {b}?", False),),
}
VERDICTS: Mapping[tuple[str, str], tuple[tuple[str, str], ...]] = {  # as in `lumos_rl.envs.qa.forms`
    ("film", "length"): (
        ("Does the film {a} last longer than the film {b}?", "{0} > {1}"),
        ("Can one watch the film {a} twice while {b} is shown once?", "{0} * 2 <= {1}"),
    ),
    ("novel", "pages"): (
        ("Has the first edition of {a} more pages than that of {b}?", "{0} > {1}"),
        ("Do the novels {a} and {b} have more than 1,000 pages together?", "{0} + {1} > 1000"),
    ),
    ("company", "staff"): (
        ("Do more people work at {a} than at {b}?", "{0} > {1}"),
        ("Would {a} have more than ten times the staff of {b}?", "{0} > 10 * {1}"),
    ),
    ("city", "population"): (
        ("Do {a} and {b} have more than a million inhabitants together?", "{0} + {1} > 1000000"),
        ("Is {a} at least half as large as {b} by inhabitants?", "{0} * 2 >= {1}"),
    ),
    ("film", "year"): (("Did the film {a} come out after the film {b}?", "{0} > {1}"),),
    ("novel", "year"): (("Are there more than 20 years from the novel {a} to the later novel {b}?", "{1} - {0} > 20"),),
}
STRATEGIES: tuple[tuple[tuple[str, ...], tuple[str, ...], str, str], ...] = (  # as in `lumos_rl.envs.qa.forms`
    (("film", "year"), ("novel", "year"), "Could the film {a} be based on the novel {b}?", "{0} >= {1}"),
    (("person", "year"), ("band", "year"), "Was {a} an adult when the band {b} was formed?", "{1} - {0} >= 18"),
    (
        ("company", "founder", "year"),
        ("film", "year"),
        "Could the founder of {a} have gone to the first showing of the film {b}?",
        "{0} <= {1}",
    ),
    (
        ("band", "singer", "year"),
        ("person", "year"),
        "Would the singer of {a} be the older one in a meeting with {b}?",
        "{0} < {1}",
    ),
    (
        ("film", "director", "birthplace", "country"),
        ("novel", "author", "birthplace", "country"),
        "Do the director of the film {a} and the author of the novel {b} share a home country?",
        "{0} = {1}",
    ),
    (
        ("person", "birthplace", "country"),
        ("person", "birthplace", "country"),
        "Would {a} and {b} have had the same passport at birth?",
        "{0} = {1}",
    ),
    (
        ("company", "seat", "population"),
        ("band", "origin", "population"),
        "Is the city with the headquarters of {a} larger than the home city of the band {b}?",
        "{0} > {1}",
    ),
    (
        ("band", "origin", "year"),
        ("company", "seat", "year"),
        "Is the home city of the band {a} older than the city where {b} has its headquarters?",
        "{0} < {1}",
    ),
    (("film", "length"), ("film", "length"), "Is there time for the film {b} twice during {a}?", "{1} * 2 <= {0}"),
    (("company", "year"), ("band", "year"), "Could {a} have paid for the first concert of {b}?", "{0} <= {1}"),
    (
        ("person", "birthplace", "population"),
        ("person", "birthplace", "population"),
        "Does {a} come from a bigger place than {b}?",
        "{0} > {1}",
    ),
)
