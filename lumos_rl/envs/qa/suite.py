"""The built-in suites of HotpotQA and StrategyQA: questions about the synthetic encyclopedia, with gold plans.

    instruction       "In which city was the director of the film Silver Harbour born?"
    answer            "Belford"
    supporting facts  [["Silver Harbour (film)", 0], ["Ida Vorelan", 1]]
    plan              "Find who directed the film Silver Harbour."         R1, R2, R3 = look up, pick, ask
                      "Find the city in which that person was born."       R4 = KnowledgeQuery(R3) …
    context           these two articles and eight others, including one with the same name

A question consists of *chains*, each an entity and the relations to follow from it, and an operation on their ends:
none (bridge), a choice (comparison), or a calculation (yes or no). Every action of a plan is run when the task is
created, and stores its result; a question is left out if its plan does not end in the answer. The questions of the
split "unseen" have the forms of `lumos_rl.envs.qa.unseen`.
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
from lumos_rl.envs.qa.forms import ASKED, CHOICES, LAST_HOPS, PHRASES, QUESTIONS, STRATEGIES, VERDICTS
from lumos_rl.envs.qa.plans import QAPlan
from lumos_rl.tools.math.calculator import Calculator

_TRIES = 200  # draws before another kind of question is tried: there are only some thousand bridges
PARAGRAPHS = 10  # of a task's context, as in HotpotQA's distractor setting


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
        if not _answered(task):
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
    kind, relation = rng.choice(list(PHRASES))
    start = rng.choice(part.of(kind))
    middle = start.facts[relation]
    assert isinstance(middle, Entity)
    last = rng.choice(LAST_HOPS[middle.kind])
    chain = _follow(start, (relation, last))
    if chain is None:
        return None
    phrase = rng.choice(PHRASES[kind, relation]).format(x=start.name)
    text = rng.choice((QUESTIONS[middle.kind, last][0], ASKED[middle.kind, last]))
    return _Draft(f"bridge/{relation}/{last}", text.format(x=phrase), chain.end, (chain,))


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


def _choice(part: Part, rng: random.Random, choices: Choices = CHOICES, name: str = "comparison") -> _Draft | None:
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


def _verdict(part: Part, rng: random.Random, verdicts: Verdicts = VERDICTS, name: str = "yes-no") -> _Draft:
    kind, relation = rng.choice(list(verdicts))
    text, expression = rng.choice(verdicts[kind, relation])
    chains = _two(part, rng, kind, relation)
    names = {letter: chain.entities[0].name for letter, chain in zip("ab", chains, strict=True)}
    return _decided(f"{name}/{kind}/{relation}", text.format(**names), chains, expression)


def _strategy(
    part: Part, rng: random.Random, strategies: Strategies = STRATEGIES, name: str = "strategy"
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
