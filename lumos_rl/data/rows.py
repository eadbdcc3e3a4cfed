"""Training rows: what planner and grounder learn, from annotations and from their own episodes.

    annotated task        → annotation_rows → ChatRow(module="planner", messages=[…]), ChatRow(module="grounder", …)
    successful episodes   → success_rows    → the same, each different episode once
    episodes of one task  → preference_pairs → PreferencePair(module="grounder", prompt=[…], chosen="…", rejected="…")

A turn that was cut at its token limit is never learned as good: it lacks the end that the model has to write. Nor is a
turn with an error, unless that is asked for. What is left out is counted in the log.

Every row names its module, so "one shared model" and "one adapter per module" differ only by a filter. A row from an
episode also holds the sampled token ids if the engine reported them; training then uses the ids instead of the text.
"""

from __future__ import annotations

import logging
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from lumos_rl.core import Formulation, Message, PairIds, PreferencePair, Task, Trajectory, Transcript, Turn
from lumos_rl.data.conversations import conversations
from lumos_rl.prompts import PromptProfile

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ChatRow:
    """One conversation to learn.

    Attributes:
        id: Id of the task or trajectory it comes from.
        benchmark: Its benchmark.
        module: Who writes the assistant turns.
        messages: The conversation.
        transcript: The same as sampled token ids; None if no model wrote it or the policy did not report them.
    """

    id: str
    benchmark: str
    module: str
    messages: tuple[Message, ...]
    transcript: Transcript | None = None


def annotation_rows(
    tasks: Iterable[Task], formulation: Formulation, profile: PromptProfile, tools: Sequence[str] | None = None
) -> list[ChatRow]:
    """One row per module and annotated task; tasks without a plan are skipped."""
    return [
        ChatRow(task.id, task.benchmark, module.value, tuple(messages))
        for task in tasks
        if task.subgoals
        for module, messages in conversations(task, formulation, profile, tools).items()
    ]


def weighted(rows: Sequence[ChatRow], weights: Mapping[str, float], seed: int) -> list[ChatRow]:
    """Repeats each row by its benchmark's weight, in order; the fraction of a weight is drawn at random.

    Args:
        rows: The rows.
        weights: Weight by benchmark; 1 if a benchmark is not listed.
        seed: Seed of the draw.
    """
    rng = random.Random(seed)
    times = ((row, weights.get(row.benchmark, 1.0)) for row in rows)
    return [row for row, weight in times for _ in range(int(weight) + (rng.random() < weight % 1))]


def balanced(rows: Sequence[ChatRow], seed: int) -> list[ChatRow]:
    """Repeats rows so that every benchmark has about as many as the largest one."""
    count = Counter(row.benchmark for row in rows)
    return weighted(rows, {name: max(count.values()) / own for name, own in count.items()}, seed)


def success_rows(
    trajectories: Iterable[Trajectory],
    min_reward: float = 1.0,
    max_per_task: int = 4,
    allow_errors: bool = False,
    min_rewards: Mapping[str, float] | None = None,
) -> list[ChatRow]:
    """Rows for rejection sampling: the conversations of episodes that scored enough.

    Args:
        trajectories: Episodes of any tasks.
        min_reward: Minimum `Trajectory.score` of an episode that is kept.
        max_per_task: Maximum number of episodes kept per task, so that easy tasks do not crowd out hard ones.
        allow_errors: Whether to keep episodes with a failed action. Their later turns recover from the error, but the
            failed turn would be learned as well. Episodes with a turn that was cut are never kept.
        min_rewards: The same as `min_reward` for single benchmarks, which it overrides; None for none.

    Returns:
        Rows in the order of the trajectories; an episode with the same turns as an earlier one is left out.
    """
    rows: list[ChatRow] = []
    kept: dict[str, int] = defaultdict(int)
    seen: set[tuple[str, ...]] = set()
    left_out: Counter[str] = Counter()
    for trajectory in trajectories:
        least = (min_rewards or {}).get(trajectory.benchmark, min_reward)
        if trajectory.failure is not None or trajectory.score < least or not trajectory.turns:
            continue
        key = (trajectory.task_id, *(turn.completion for turn in trajectory.turns))
        if any(map(_was_cut, trajectory.turns)):
            left_out["with a turn that was cut"] += 1
        elif not allow_errors and any(turn.error for turn in trajectory.turns):
            left_out["with an error"] += 1
        elif key in seen:
            left_out["the same as others"] += 1
        elif kept[trajectory.task_id] >= max_per_task:
            left_out[f"beyond {max_per_task} of one task"] += 1
        else:
            seen.add(key)
            kept[trajectory.task_id] += 1
            rows += _rows(trajectory)
    _log_left_out("successful episodes", left_out, sum(kept.values()))
    return rows


def _was_cut(turn: Turn) -> bool:
    return turn.finish_reason == "length"


def _log_left_out(what: str, left_out: Mapping[str, int], kept: int) -> None:
    out = sum(left_out.values())
    if out:
        reasons = ", ".join(f"{count} {why}" for why, count in left_out.items())
        log.info("%d of %d %s are not learned (%.0f %%): %s", out, out + kept, what, 100 * out / (out + kept), reasons)


def _rows(trajectory: Trajectory) -> list[ChatRow]:
    modules = dict.fromkeys(turn.module for turn in trajectory.turns)
    return [
        ChatRow(
            trajectory.id,
            trajectory.benchmark,
            module,
            tuple(trajectory.conversation(module)),
            trajectory.transcript(module),
        )
        for module in modules
    ]


@dataclass(slots=True)
class _Node:
    """A node that episodes of one task reached with the same turns."""

    episodes: list[Trajectory] = field(default_factory=list)
    children: dict[tuple[str, str], _Node] = field(default_factory=dict)

    @property
    def value(self) -> float:
        """Mean score of the episodes that passed through it."""
        return sum(episode.score for episode in self.episodes) / len(self.episodes)

    def spoiled(self, depth: int) -> bool:
        """Whether the turn that leads to it, at this index of its episodes, was cut or had an error in any of them."""
        turns = (episode.turns[depth] for episode in self.episodes)
        return any(_was_cut(turn) or turn.error is not None for turn in turns)


def preference_pairs(
    trajectories: Iterable[Trajectory],
    min_margin: float = 0.5,
    max_per_task: int = 4,
    seed: int = 0,
    min_margins: Mapping[str, float] | None = None,
) -> list[PreferencePair]:
    """Pairs of turns at which the episodes of one task diverge.

    The episodes of a task form a tree: they share a node as long as their turns (and so their observations) are equal.
    If a node has several next turns, each has as value the mean score of the episodes that took it. The best turn
    without an error that was not cut is paired with every turn whose value is lower by at least `min_margin`.

    Args:
        trajectories: Episodes of any tasks; failed ones are left out.
        min_margin: Minimum difference in value.
        max_per_task: Maximum number of pairs per task; those with the largest margin are kept, ties at random.
        seed: Seed for these ties.
        min_margins: The same as `min_margin` for single benchmarks, which it overrides; None for none.

    Returns:
        Pairs ordered by task id; a task whose episodes all have the same score gives none.
    """
    by_task: dict[str, list[Trajectory]] = defaultdict(list)
    for trajectory in trajectories:
        if trajectory.failure is None:
            by_task[trajectory.task_id].append(trajectory)
    pairs: list[PreferencePair] = []
    left_out: Counter[str] = Counter()
    for task_id, episodes in sorted(by_task.items()):
        found = _pairs(_tree(episodes), 0, (min_margins or {}).get(episodes[0].benchmark, min_margin), left_out)
        random.Random(f"{seed}/{task_id}").shuffle(found)
        found.sort(key=lambda pair: pair.rejected_reward - pair.chosen_reward)
        if len(found) > max_per_task:
            left_out[f"beyond {max_per_task} of one task"] += len(found) - max_per_task
        pairs += found[:max_per_task]
    _log_left_out("pairs", left_out, len(pairs))
    return pairs


def _tree(episodes: Iterable[Trajectory]) -> _Node:
    root = _Node()
    for episode in episodes:
        root.episodes.append(episode)
        node = root
        for turn in episode.turns:
            node = node.children.setdefault((turn.module, turn.completion), _Node())
            node.episodes.append(episode)
    return root


def _pairs(node: _Node, depth: int, min_margin: float, left_out: Counter[str]) -> list[PreferencePair]:
    clean = {key: child for key, child in node.children.items() if not child.spoiled(depth)}
    found = [_pair(chosen, rejected, depth) for chosen, rejected in _parted(clean, node.children, min_margin)]
    if len(clean) < len(node.children):
        possible = len(_parted(node.children, node.children, min_margin))
        if possible > len(found):
            left_out["whose better turn was cut or had an error"] += possible - len(found)
    for child in node.children.values():
        found += _pairs(child, depth + 1, min_margin, left_out)
    return found


_Children = Mapping[tuple[str, str], _Node]


def _parted(good: _Children, every: _Children, min_margin: float) -> list[tuple[_Node, _Node]]:
    """The best of the good turns, with each turn of the same module that is worse by enough."""
    if not good:
        return []
    best, chosen = max(good.items(), key=lambda item: (item[1].value, len(item[1].episodes)))
    worse = ((key, node, chosen.value - node.value) for key, node in every.items())
    # as floats, 1 - 0.8 < 0.2
    return [(chosen, node) for key, node, by in worse if key[0] == best[0] and by > 0 and by >= min_margin - 1e-9]


def _pair(chosen: _Node, rejected: _Node, turn: int) -> PreferencePair:
    good, bad = chosen.episodes[0], rejected.episodes[0]
    module = good.turns[turn].module
    return PreferencePair(
        id=f"{good.task_id}:{good.sample}>{bad.sample}@{turn}",
        task_id=good.task_id,
        benchmark=good.benchmark,
        module=module,
        turn=turn,
        prompt=tuple(good.conversation(module, before=turn)),
        chosen=good.turns[turn].completion,
        rejected=bad.turns[turn].completion,
        chosen_reward=chosen.value,
        rejected_reward=rejected.value,
        ids=_pair_ids(good, bad, turn),
    )


def _pair_ids(good: Trajectory, bad: Trajectory, turn: int) -> PairIds | None:
    """Token ids of a pair. Turns of equal text share a node even if their ids differ; the chosen episode's are used."""
    prompt = good.transcript(good.turns[turn].module, before=turn)
    chosen, rejected = good.turns[turn].completion_ids, bad.turns[turn].completion_ids
    if prompt is None or chosen is None or rejected is None or good.tokenizer != bad.tokenizer:
        return None
    return PairIds(prompt.ids, chosen, rejected, good.tokenizer)


def count_by_module(rows: Iterable[ChatRow | PreferencePair]) -> Mapping[str, int]:
    """Number of rows or pairs per module."""
    counts: dict[str, int] = {}
    for row in rows:
        counts[row.module] = counts.get(row.module, 0) + 1
    return counts
