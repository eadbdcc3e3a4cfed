"""Mind2Web (Deng et al. 2023): predict the next action of a task on recorded web pages.

env = gym.make("lumos_rl/Mind2Web-v0")                                        # the built-in websites
env = gym.make("lumos_rl/Mind2Web-v0", source="data", split="test_domain")    # the dataset as distributed
env.reset(options={"task": 0})      # ("Task: Find … Previous actions: None. Page: (html (body (header …", {…})
env.step("CLICK [12]")              # an id shown on the page; ("Task: … [button]  Search -> CLICK …", 1.0, …)
env.step("R1 = TYPE(Env, QUERY: location, TEXT: Boston)")    # or a query, for which the ranker finds the element

Steps are teacher-forced: whatever was predicted, the next recorded page follows, and the reward is whether the step was
right. A text that is not an action gets an error and predicts nothing.

All candidates of a page are ranked, without knowledge of the right one: an id must be one of the `top_k` best for the
task, and a query is matched against all candidates. Only `lumos_step_sr` uses the pool of the Lumos release, which
always contains the right element.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

from lumos_rl.core import Action, Task
from lumos_rl.envs.base import Grade, LumosEnv, NotResetError
from lumos_rl.envs.mind2web import reader as files
from lumos_rl.envs.mind2web.metrics import LUMOS_STEPS, lumos_step_sr, recall_at, web_scores, web_step
from lumos_rl.envs.mind2web.tools.actions import canonical, native, web_tools
from lumos_rl.envs.mind2web.tools.cross_encoder import CrossEncoder
from lumos_rl.envs.mind2web.tools.ranking import LexicalRanker, Ranker
from lumos_rl.envs.mind2web.tools.sentences import feedback
from lumos_rl.envs.mind2web.tools.session import Prediction, Session
from lumos_rl.errors import ActionParseError, ConfigError
from lumos_rl.language import parse_actions
from lumos_rl.tools.base import Execution, Tool

MAX_STEPS = 64  # twice the longest recorded tasks, which leaves room for texts that are not actions
TOP_K = 50  # Deng et al. 2023
RECALLS = (1, 5, 10, 50)
BUILT_IN = "synthetic"

Observation = Literal["page", "feedback"]


class Mind2WebEnv(LumosEnv):
    """Tasks whose recorded steps are predicted one by one.

    Attributes:
        ranker_name: Name of the ranker in `info`.
    """

    def __init__(
        self,
        benchmark: str = files.BENCHMARK,
        source: str | Path = BUILT_IN,
        split: str | None = None,
        top_k: int = TOP_K,
        ranker: Ranker | str | Path | None = None,
        observation: Observation = "page",
        *,
        max_steps: int = MAX_STEPS,
        **settings: Any,
    ) -> None:
        """Locates the tasks in their files; the first use of a file takes a while.

        Args:
            benchmark: "mind2web"; fixed by the environment's id.
            source: "synthetic" (the built-in websites), a folder as distributed, or one of its files.
            split: Of a folder: train, test_task (default), test_website or test_domain; of a file
                by default that in its name; of the built-in websites: test
                (default), dev, train or unseen.
            top_k: How many candidates are shown, and can be chosen by id.
            ranker: A function (query, text of a candidate) → score, or a folder with a cross-encoder that Transformers
                can load; None takes the lexical ranker.
            observation: "page" shows the page around the candidates; "feedback" shows no page, but describes the
                recorded action in a sentence, as Lumos does.
            max_steps: Steps after which an episode is truncated.
            **settings: As for `LumosEnv`.

        Raises:
            LumosError: A setting is invalid, or files are missing or cannot be read.
        """
        if observation not in ("page", "feedback"):
            raise ConfigError(f"expected observation 'page' or 'feedback', got {observation!r}")
        if top_k < 1:
            raise ConfigError(f"expected top_k >= 1, got {top_k}")
        super().__init__(benchmark, source, split, max_steps=max_steps, **settings)
        self._ranker = _ranker(ranker)
        self.ranker_name = str(getattr(self._ranker, "name", getattr(self._ranker, "__name__", "given")))
        self._top_k, self._mode = top_k, observation
        self._session: Session | None = None
        self._rewarded = 0  # number of predictions already rewarded

    @property
    def session(self) -> Session:
        """The current pass over a task.

        Raises:
            NotResetError: There is none yet.
        """
        if self._session is None:
            raise NotResetError("expected reset() first, got no task")
        return self._session

    def tools(self, task: Task) -> Mapping[str, Tool]:
        """CLICK, TYPE, SELECT and, if pages are shown, Act for MindAct's syntax."""
        if "reprs" not in task.meta:
            raise ConfigError(
                f"expected a mind2web task with its actions in meta['reprs'], got none (task {task.id!r})"
            )
        pages = partial(files.load_page, task)
        self._session = Session(
            task.id, task.instruction, task.meta["reprs"], pages, self._ranker, self._top_k, self._mode == "page"
        )
        self._rewarded = 0
        return web_tools(self._session)

    def first(self, task: Task) -> str:
        """The task and the first page; the task alone if pages are not shown."""
        return self._page() if self._mode == "page" else task.instruction

    def read(self, text: str) -> list[Action]:
        """The action in MindAct's syntax (if ids are shown), otherwise the actions in the action language.

        Raises:
            ActionParseError: It is neither.
        """
        if self._mode == "page" and (action := native(text)) is not None:
            return [action]
        try:
            return [canonical(action) for action in parse_actions(text)]
        except ActionParseError as error:
            by_id = "CLICK [id], TYPE [id] text, SELECT [id] text or " if self._mode == "page" else ""
            wanted = f"expected {by_id}actions such as R1 = CLICK(Env, QUERY: words)"
            raise ActionParseError(f"{wanted}; as such: {error}") from error

    def observe(self, action: str, execution: Execution, notes: Sequence[str]) -> str:
        """Errors and the next page; errors and the recorded actions if pages are not shown."""
        if self._mode == "feedback":
            return "\n".join((*notes, *map(feedback, execution.results.values())))
        return "\n".join((*notes, "All steps are done." if self.session.over else self._page()))

    def inform(self) -> dict[str, Any]:
        """How it is played, the position in the task, the ids that can be chosen, and the scores of the last step."""
        session = self.session
        ids = {} if session.over else dict(session.view.elements)
        best = float(len(session.texts))
        told = {
            "best_reward": best,
            "ranker": self.ranker_name,
            "observation_mode": self._mode,
            "position": session.position,
            "previous_actions": list(session.previous),
            "elements": ids,
        }
        return told | ({"scores": _scores(session.predictions[-1])} if session.predictions else {})

    def over(self) -> bool:
        """Whether all recorded steps were predicted."""
        return self.session.over

    def reward(self) -> float:
        """Number of right steps among those that the last text predicted: 1 or 0, unless it predicted several."""
        fresh = self.session.predictions[self._rewarded :]
        self._rewarded = len(self.session.predictions)
        return float(sum(found.score.success for found in fresh))

    def grade(self, task: Task, answer: str | None) -> Grade:
        """The reward of the last text, and the metrics of the task; steps without a prediction count 0."""
        made = self.session.predictions
        missing = [web_step(task.id, None, None, (), "")] * (len(self.session.texts) - len(made))
        scores = web_scores([*(found.score for found in made), *missing])
        success = scores["task_success"] == 1.0
        metrics = {
            **{name: scores[name] for name in ("element_acc", "action_f1", "step_acc", "task_success")},
            "exact_step_acc": sum(found.exact for found in made) / len(self.session.texts),
            **_of_predicted(made),
        }
        counts = {"steps": float(len(self.session.texts)), "lumos_steps": float(min(len(made), LUMOS_STEPS))}
        return Grade(self.reward(), success, metrics, counts)

    def _page(self) -> str:
        session = self.session
        previous = "\n".join(session.previous) or "None"
        return f"Task: {session.task}\nPrevious actions:\n{previous}\nPage:\n{session.view.text}"


def _of_predicted(made: Sequence[Prediction]) -> dict[str, float]:
    """Metrics over the predicted steps only."""
    if not made:
        return {}
    ranks = [found.rank for found in made]
    recalls = {f"recall@{k}": recall_at(ranks, k) for k in RECALLS} if any(rank is not None for rank in ranks) else {}
    return {"lumos_step_sr": lumos_step_sr([[found.lumos for found in made]]), **recalls}


def _scores(found: Prediction) -> dict[str, Any]:
    """The scores of one step, for `info`."""
    scores = {
        "element_acc": found.score.element,
        "action_f1": found.score.operation_f1,
        "step_acc": float(found.score.success),
    }
    rank = {} if found.rank is None else {"rank": found.rank}  # vector environments cannot mix None and numbers
    return {"element": found.element or "", **scores, **rank}


def _ranker(given: Ranker | str | Path | None) -> Ranker:
    if given is None:
        return LexicalRanker()
    if isinstance(given, str | Path):
        return CrossEncoder(given)
    if not callable(given):
        raise ConfigError(f"expected ranker as a function (query, text) → score or a model folder, got {given!r}")
    return given
