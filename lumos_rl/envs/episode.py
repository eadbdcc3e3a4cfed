"""The current episode of an environment: its grade, what happened in it, and how that is shown.

episode = Episode(task, "Tom has 4 boxes …", Executor(tools))
episode.transcript.append(("R1 = Calculator(4 * 12)", "R1 = 48"))
print(episode.text)
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

from gymnasium.error import ResetNeeded

from lumos_rl.core import Task
from lumos_rl.envs.spaces import MAX_LENGTH
from lumos_rl.errors import EpisodeError
from lumos_rl.records import well_formed
from lumos_rl.tools.base import Executor

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # all but tab and newline; some of them command a terminal


class NotResetError(EpisodeError, ResetNeeded):
    """Used before `reset`; also a subclass of Gymnasium's own error, so that code catching either one works."""


@dataclass(frozen=True, slots=True)
class Grade:
    """The score of an episode.

    Attributes:
        reward: Reward of the last step.
        success: Whether the task counts as solved.
        metrics: The benchmark's own scores of this episode, and nothing else.
        counts: Numbers about the episode that are no scores, e.g. its steps.
    """

    reward: float
    success: bool
    metrics: Mapping[str, float]
    counts: Mapping[str, float] = field(default_factory=dict)


@dataclass(slots=True)
class Episode:
    """The current episode.

    Attributes:
        task: Its task.
        first: Its first observation.
        executor: Runs its actions.
        finished: Whether `Finish` ended it.
        answer: The answer given to `Finish`; None if there is none.
        ended: Whether it is over, for whatever reason.
        transcript: Each action with the observation it led to.
    """

    task: Task
    first: str
    executor: Executor
    finished: bool = False
    answer: str | None = None
    ended: bool = False
    transcript: list[tuple[str, str]] = field(default_factory=list)

    @property
    def text(self) -> str:
        """All of it as text."""
        lines = [f"Task {self.task.id}", self.first]
        for action, observation in self.transcript:
            lines += [f"> {cut(action)}", observation]
        return "\n".join(lines)


def say(text: str) -> None:
    """Prints text of a model or a page: without control characters, in the characters that the output has."""
    encoding = sys.stdout.encoding or "utf-8"
    print(_CONTROL.sub("\N{REPLACEMENT CHARACTER}", text).encode(encoding, "replace").decode(encoding), flush=True)


def cut(text: str) -> str:
    """The text as well-formed Unicode, cut with a note if it is longer than the space allows."""
    text = well_formed(text)
    if len(text) <= MAX_LENGTH:
        return text
    note = f" … (cut: {len(text)} characters in all)"
    return text[: MAX_LENGTH - len(note)] + note
