"""Mind2Web (Deng et al. 2023): predict the next action of a task on recorded web pages.

env = gym.make("lumos_rl/Mind2Web-v0")                                        # the built-in websites
env = gym.make("lumos_rl/Mind2Web-v0", source="data", split="test_domain")    # the dataset as distributed
env.reset(options={"task": 0})      # ("Task: Find … Previous actions: None. Page: (html (body (header …", {…})
env.step("CLICK [12]")              # an id that the page shows; ("Task: … [button]  Search -> CLICK …", 1.0, …)
env.step("R1 = TYPE(Env, QUERY: location, TEXT: Boston)")    # or a query, for which the ranker finds the element

Steps are teacher-forced: whatever was predicted, the recorded page that comes next follows, and the reward is whether
the step was right. A text that is no action at all is told so, and predicts nothing.

Candidates are ranked honestly, over all of a page: an id can only be one of the best `top_k` for the task, and a query
is matched against all of them. `lumos_step_sr` alone uses the release's pool, which always holds the right element.
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

MAX_STEPS = 64  # twice the longest recorded tasks: room for texts that are no action
TOP_K = 50  # Deng et al. 2023
RECALLS = (1, 5, 10, 50)
BUILT_IN = "synthetic"

Observation = Literal["page", "feedback"]


class Mind2WebEnv(LumosEnv):
    """Predicting recorded steps.

    Attributes:
        ranker_name: What ranks candidates, as metrics tell it.
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
        limit: int | None = None,
        max_steps: int = MAX_STEPS,
        tasks: Sequence[Task] | None = None,
        render_mode: str | None = None,
    ) -> None:
        """Reads where the tasks stand; the first time that a file is used, that takes a while.

        Args:
            benchmark: "mind2web"; fixed by the environment's id.
            source: "synthetic" (the built-in websites), a folder as distributed, or one of its files.
            split: Of a folder train, test_task (unless given), test_website or test_domain; of the built-in websites
                test (unless given), dev or train.
            top_k: How many candidates are shown, and can be chosen by id.
            ranker: A function (query, text of a candidate) → score, or a folder with a cross-encoder that Transformers
                can load; None takes the lexical ranker.
            observation: "page" shows the page around the candidates; "feedback" shows no page at all, but what
                was done in a sentence, as in the setting of Lumos.
            limit: How many tasks, from the first on; None takes all.
            max_steps: Texts after which an episode is truncated.
            tasks: Tasks given directly.
            render_mode: As in every environment.

        Raises:
            LumosError: A setting that cannot work, or files that are missing or cannot be read.
        """
        if observation not in ("page", "feedback"):
            raise ConfigError(f"expected observation 'page' or 'feedback', got {observation!r}")
        if top_k < 1:
            raise ConfigError(f"expected top_k >= 1, got {top_k}")
        default = "test" if str(source) == BUILT_IN else "test_task"
        super().__init__(benchmark, source, split or default, limit, max_steps, tasks, render_mode)
        self._ranker = _ranker(ranker)
        self.ranker_name = str(getattr(self._ranker, "name", getattr(self._ranker, "__name__", "given")))
        self._top_k, self._mode = top_k, observation
        self._session: Session | None = None
        self._rewarded = 0  # predictions whose reward was given

    @property
    def session(self) -> Session:
        """The task under way.

        Raises:
            NotResetError: There is none yet.
        """
        if self._session is None:
            raise NotResetError("expected reset() first, got no task")
        return self._session

    def tools(self, task: Task) -> Mapping[str, Tool]:
        """CLICK, TYPE, SELECT, and with pages Act for MindAct's syntax."""
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
        """The task and the first page; without pages the task alone."""
        return self._page() if self._mode == "page" else task.instruction

    def read(self, text: str) -> list[Action]:
        """The text in MindAct's syntax, where ids are shown, or else as actions of the action language.

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
        """What went wrong, and the next page; without pages what was done."""
        if self._mode == "feedback":
            return "\n".join((*notes, *map(feedback, execution.results.values())))
        return "\n".join((*notes, "All steps are done." if self.session.over else self._page()))

    def inform(self) -> dict[str, Any]:
        """Where the episode stands, the ids that can be used, and how the last step scored."""
        session = self.session
        ids = {} if session.over else dict(session.view.elements)
        best = float(len(session.texts))
        told = {
            "best_reward": best,
            "position": session.position,
            "previous_actions": list(session.previous),
            "elements": ids,
        }
        return told | ({"scores": _scores(session.predictions[-1])} if session.predictions else {})

    def over(self) -> bool:
        """Whether all recorded steps were predicted."""
        return self.session.over

    def reward(self) -> float:
        """How many of the steps that this text predicted were right: 1 or 0, unless it predicted several."""
        fresh = self.session.predictions[self._rewarded :]
        self._rewarded = len(self.session.predictions)
        return float(sum(found.score.success for found in fresh))

    def grade(self, task: Task, answer: str | None) -> Grade:
        """The reward of the last text, and the metrics of the task; a step that was not predicted counts 0."""
        made = self.session.predictions
        missing = [web_step(task.id, None, None, (), "")] * (len(self.session.texts) - len(made))
        scores = web_scores([*(found.score for found in made), *missing])
        success = scores["task_success"] == 1.0
        metrics = {
            **{name: scores[name] for name in ("element_acc", "action_f1", "step_acc", "task_success")},
            "steps": float(len(self.session.texts)),
            "exact_step_acc": sum(found.exact for found in made) / len(self.session.texts),
            **_of_predicted(made),
            f"ranker:{self.ranker_name}": 1.0,
            f"observation:{self._mode}": 1.0,
        }
        return Grade(self.reward(), success, metrics)

    def _page(self) -> str:
        session = self.session
        previous = "\n".join(session.previous) or "None"
        return f"Task: {session.task}\nPrevious actions:\n{previous}\nPage:\n{session.view.text}"


def _of_predicted(made: Sequence[Prediction]) -> dict[str, float]:
    """Metrics of the predicted steps alone."""
    if not made:
        return {}
    ranks = [found.rank for found in made]
    recalls = {f"recall@{k}": recall_at(ranks, k) for k in RECALLS} if any(rank is not None for rank in ranks) else {}
    lumos = {"lumos_step_sr": lumos_step_sr([[found.lumos for found in made]])}
    return {**lumos, "lumos_steps": float(min(len(made), LUMOS_STEPS)), **recalls}


def _scores(found: Prediction) -> dict[str, Any]:
    """How one step scored, for people and for analysis."""
    scores = {
        "element_acc": found.score.element,
        "action_f1": found.score.operation_f1,
        "step_acc": float(found.score.success),
    }
    rank = {} if found.rank is None else {"rank": found.rank}  # vector environments take no None beside numbers
    return {"element": found.element or "", **scores, **rank}


def _ranker(given: Ranker | str | Path | None) -> Ranker:
    if given is None:
        return LexicalRanker()
    if isinstance(given, str | Path):
        return CrossEncoder(given)
    if not callable(given):
        raise ConfigError(f"expected ranker as a function (query, text) → score or a model folder, got {given!r}")
    return given
