"""The built-in suites of HotpotQA and StrategyQA: questions about the synthetic encyclopedia, with gold plans.

    instruction       "In which city was the director of the film Silver Harbour born?"
    answer            "Belford"
    supporting facts  [["Silver Harbour (film)", 0], ["Ida Vorelan", 1]]
    plan              "Find who directed the film Silver Harbour."         R1, R2, R3 = look up, pick, ask
                      "Find the city in which that person was born."       R4 = KnowledgeQuery(R3) …
    context           these two articles and eight others, including one with the same name

A question consists of *chains*, each an entity and the relations to follow from it, and an operation on their ends:
none (bridge), a choice (comparison), or a calculation (yes or no). Every action of a plan is run when the task is
created, and stores its result, right or wrong. The questions of the split "unseen" have the forms of
`lumos_rl.envs.qa.unseen`; each of their plans ends in the answer.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from lumos_rl.core import Subgoal, Task
from lumos_rl.data.synthetic import UNSEEN
from lumos_rl.envs.qa import unseen
from lumos_rl.envs.qa.encyclopedia import Entity, Part, encyclopedia
from lumos_rl.envs.qa.plans import QAPlan
from lumos_rl.tools.math.calculator import Calculator

_TRIES = 200  # draws before another kind of question is tried: there are only some thousand bridges
PARAGRAPHS = 10  # of a task's context, as in HotpotQA's distractor setting

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
_PHRASES: Mapping[tuple[str, str], tuple[str, ...]] = {  # descriptions of an entity that a question does not name
    ("film", "director"): ("the director of the film {x}", "the person who directed the film {x}"),
    ("novel", "author"): ("the author of the novel {x}", "the writer of the novel {x}"),
    ("company", "founder"): ("the founder of {x}", "the person who founded {x}"),
    ("band", "singer"): ("the singer of {x}", "the singer of the band {x}"),
    ("company", "seat"): ("the city with the headquarters of {x}", "the city where {x} has its headquarters"),
    ("band", "origin"): ("the city where the band {x} was formed", "the home city of the band {x}"),
}
_LAST_HOPS: Mapping[str, tuple[str, ...]] = {
    "person": ("birthplace", "year"),
    "city": ("country", "population", "year"),
}

# (kind, relation) → questions for a choice, each with whether it asks for the smaller value.
_CHOICES: Mapping[tuple[str, str], tuple[tuple[str, bool], ...]] = {
    ("person", "year"): (("Who was born earlier, {a} or {b}?", True), ("Who was born later, {a} or {b}?", False)),
    ("city", "population"): (
        ("Which city has more inhabitants, {a} or {b}?", False),
        ("Which city has fewer inhabitants, {a} or {b}?", True),
    ),
    ("film", "year"): (("Which film was released first, {a} or {b}?", True),),
    ("novel", "year"): (("Which novel was published earlier, {a} or {b}?", True),),
    ("company", "year"): (("Which company was founded first, {a} or {b}?", True),),
    ("band", "year"): (("Which band was formed later, {a} or {b}?", False),),
}
# (kind, relation) → yes-or-no questions about two entities, each with the calculation that decides it.
_VERDICTS: Mapping[tuple[str, str], tuple[tuple[str, str], ...]] = {
    ("person", "birthplace"): (("Were {a} and {b} born in the same city?", "{0} = {1}"),),
    ("person", "year"): (("Was {a} born before {b}?", "{0} < {1}"),),
    ("city", "country"): (("Are {a} and {b} in the same country?", "{0} = {1}"),),
    ("city", "population"): (
        ("Does {a} have more inhabitants than {b}?", "{0} > {1}"),
        ("Does {a} have more than twice as many inhabitants as {b}?", "{0} > 2 * {1}"),
    ),
    ("city", "year"): (("Is {a} an older city than {b}?", "{0} < {1}"),),
}
# Yes-or-no questions with implicit steps: first and second chain, question, calculation.
_STRATEGIES: tuple[tuple[tuple[str, ...], tuple[str, ...], str, str], ...] = (
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
)


@dataclass(frozen=True, slots=True)
class _Chain:
    """The entities along a chain, and the relation to follow from each."""

    entities: tuple[Entity, ...]
    relations: tuple[str, ...]

    @property
    def end(self) -> str:
        """Text of the fact at the end of the chain."""
        return self.entities[-1].text_of(self.relations[-1])

    @property
    def facts(self) -> list[list[str | int]]:
        """Title and sentence index of each step."""
        return [
            [entity.title, entity.stated[relation]]
            for entity, relation in zip(self.entities, self.relations, strict=True)
        ]


@dataclass(frozen=True, slots=True)
class _Draft:
    """A question without its plan; `final` is the last question to ask or the last expression to calculate."""

    kind: str
    text: str
    answer: str
    chains: tuple[_Chain, ...]
    final: str = ""


def question_stream(benchmark: str, split: str, seed: int = 0) -> Iterator[Task]:
    """An infinite stream of different questions of a split; equal arguments give equal questions.

    Args:
        benchmark: "hotpotqa" or "strategyqa".
        split: "train", "dev", "test" or "unseen".
        seed: Selects the questions; ids contain it unless it is 0. The encyclopedia stays the same.
    """
    part = encyclopedia(split)
    rng = random.Random(f"{benchmark}/{split}/{seed}")
    kinds = (_UNSEEN_KINDS if split == UNSEEN else _KINDS)[benchmark]
    label = f"{benchmark}/{split}/synthetic-" + (f"{seed}-" if seed else "")
    seen: set[str] = set()
    while True:
        kind, unwanted = rng.choice(kinds), rng.choice(("yes", "no"))  # so that both are equally frequent
        drafts = (kind(part, rng) for _ in range(_TRIES))
        draft = next((each for each in drafts if each and each.text not in seen and each.answer != unwanted), None)
        if draft is None:
            continue
        task = _task(draft, f"{label}{len(seen)}", benchmark, split, part, rng)
        if split == UNSEEN and not _answered(task):
            continue
        seen.add(draft.text)
        yield task


def _answered(task: Task) -> bool:
    """Whether the plan ends in the answer; the rules of the built-in reader do not fit every form."""
    last = task.subgoals[-1].actions[-1].result or ""
    return last.rpartition("Answer: ")[2].replace(",", "") == str(task.answer).replace(",", "")


def _follow(start: Entity, relations: Sequence[str]) -> _Chain | None:
    """The chain from an entity; None if it passes an entity whose name several articles share."""
    entities = [start]
    for relation in relations[:-1]:
        value = entities[-1].facts[relation]
        assert isinstance(value, Entity), "only the last relation of a chain ends in a word"
        if value.title != value.name:
            return None
        entities.append(value)
    return _Chain(tuple(entities), tuple(relations))


def _bridge(part: Part, rng: random.Random) -> _Draft | None:
    kind, relation = rng.choice(list(_PHRASES))
    start = rng.choice(part.of(kind))
    middle = start.facts[relation]
    assert isinstance(middle, Entity)
    last = rng.choice(_LAST_HOPS[middle.kind])
    chain = _follow(start, (relation, last))
    if chain is None:
        return None
    phrase = rng.choice(_PHRASES[kind, relation]).format(x=start.name)
    return _Draft(f"bridge/{relation}/{last}", QUESTIONS[middle.kind, last][0].format(x=phrase), chain.end, (chain,))


def _two(part: Part, rng: random.Random, kind: str, relation: str) -> tuple[_Chain, _Chain]:
    first, second = rng.sample(part.of(kind), 2)
    return _Chain((first,), (relation,)), _Chain((second,), (relation,))


def _deep(part: Part, rng: random.Random) -> _Draft | None:
    (kind, *relations), texts = rng.choice(unseen.DEEP)
    start, form = rng.choice(part.of(kind)), rng.randrange(len(texts))
    chain = _follow(start, relations)
    if chain is None:
        return None
    name = f"deep/{'-'.join((kind, *relations))}/{form}"
    return _Draft(name, texts[form].format(x=start.name), chain.end, (chain,))


Choices = Mapping[tuple[str, str], tuple[tuple[str, bool], ...]]
Verdicts = Mapping[tuple[str, str], tuple[tuple[str, str], ...]]
Strategies = Sequence[tuple[tuple[str, ...], tuple[str, ...], str, str]]


def _choice(part: Part, rng: random.Random, choices: Choices = _CHOICES, name: str = "comparison") -> _Draft | None:
    kind, relation = rng.choice(list(choices))
    text, smaller = rng.choice(choices[kind, relation])
    chains = _two(part, rng, kind, relation)
    names = [chain.entities[0].name for chain in chains]
    values = [int(str(chain.entities[0].facts[relation])) for chain in chains]
    if values[0] == values[1] or names[0] == names[1]:
        return None
    question = text.format(a=names[0], b=names[1])
    answer = names[(values[0] > values[1]) == smaller]
    return _Draft(f"{name}/{kind}/{relation}", question, answer, chains, question)


def _verdict(part: Part, rng: random.Random, verdicts: Verdicts = _VERDICTS, name: str = "yes-no") -> _Draft:
    kind, relation = rng.choice(list(verdicts))
    text, expression = rng.choice(verdicts[kind, relation])
    chains = _two(part, rng, kind, relation)
    names = {letter: chain.entities[0].name for letter, chain in zip("ab", chains, strict=True)}
    return _decided(f"{name}/{kind}/{relation}", text.format(**names), chains, expression)


def _strategy(
    part: Part, rng: random.Random, strategies: Strategies = _STRATEGIES, name: str = "strategy"
) -> _Draft | None:
    first, second, text, expression = rng.choice(strategies)
    chains = [_follow(rng.choice(part.of(steps[0])), steps[1:]) for steps in (first, second)]
    if chains[0] is None or chains[1] is None:
        return None
    names = {"a": chains[0].entities[0].name, "b": chains[1].entities[0].name}
    both = (chains[0], chains[1])
    return _decided(f"{name}/{'-'.join(first + second)}", text.format(**names), both, expression)


def _decided(kind: str, text: str, chains: tuple[_Chain, _Chain], expression: str) -> _Draft:
    left, right = (chain.end.replace(",", "") for chain in chains)
    return _Draft(kind, text, "yes" if _holds(expression, left, right) else "no", chains, expression)


def _holds(expression: str, left: str, right: str) -> bool:
    if expression == "{0} = {1}":
        return left == right
    return Calculator()(expression.format(left, right), {}).text == "True"


def _task(draft: _Draft, key: str, benchmark: str, split: str, part: Part, rng: random.Random) -> Task:
    gold = list(dict.fromkeys(entity for chain in draft.chains for entity in chain.entities))
    facts = [fact for chain in draft.chains for fact in chain.facts]
    context = [[entity.title, entity.sentences] for entity in _with_distractors(gold, part, rng)]
    meta = {"template": draft.kind, "type": draft.kind.partition("/")[0], "context": context, "supporting_facts": facts}
    if benchmark == "strategyqa":
        articles = {entity.title: entity.sentences for entity in gold}
        meta["facts"] = [articles[str(title)][int(index)] for title, index in facts]
    task = Task(key, benchmark, draft.text, draft.answer, split, meta=meta)
    return Task(key, benchmark, draft.text, draft.answer, split, _plan(draft, task), meta)


def _with_distractors(gold: Sequence[Entity], part: Part, rng: random.Random) -> list[Entity]:
    """The gold entities with distractors: entities of the same names, then others of the same kinds."""
    articles = list(dict.fromkeys([*gold, *(namesake for own in gold for namesake in part.names[own.name])]))
    while len(articles) < PARAGRAPHS:
        other = rng.choice(part.of(rng.choice(gold).kind))
        if other not in articles:
            articles.append(other)
    rng.shuffle(articles)
    return articles


def _plan(draft: _Draft, task: Task) -> tuple[Subgoal, ...]:
    plan = QAPlan(task)
    ends = []
    for chain in draft.chains:
        entity, shown = chain.entities[0].title, chain.entities[0].name
        for place, relation in zip(chain.entities, chain.relations, strict=True):
            question, goal = QUESTIONS[place.kind, relation]
            evidence = plan.look_up(entity, question.format(x=shown))
            entity = shown = plan.ask(question.format(x=shown), [evidence])
            step = len(plan.subgoals)
            plan.close(
                f"Find {goal.format(x=place.name if place is chain.entities[0] else f'the result of Subgoal {step}')}."
            )
        ends.append(entity)
    if draft.final == draft.text:
        plan.ask(draft.final, ends)
        plan.close("Choose between the two.")
    elif draft.final:
        plan.act("Calculator", draft.final.format(*ends))
        plan.close("Compare the two results.")
    return tuple(plan.subgoals)


Kind = Callable[[Part, random.Random], _Draft | None]
_KINDS: Mapping[str, tuple[Kind, ...]] = {
    "hotpotqa": (_bridge, _bridge, _choice, _verdict),
    "strategyqa": (_strategy, _strategy, _verdict),
}
_new_choice = partial(_choice, choices=unseen.CHOICES, name="unseen-comparison")
_new_verdict = partial(_verdict, verdicts=unseen.VERDICTS, name="unseen-yes-no")
_new_strategy = partial(_strategy, strategies=unseen.STRATEGIES, name="unseen-strategy")
_UNSEEN_KINDS: Mapping[str, tuple[Kind, ...]] = {
    "hotpotqa": (_deep, _deep, _new_choice, _new_verdict),
    "strategyqa": (_new_strategy, _new_strategy, _new_verdict),
}
