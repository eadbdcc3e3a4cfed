"""Every fixed sentence a model reads or writes.

A `PromptProfile` is one set of fixed texts for planner and grounder. `LUMOS_PROFILE` has the form of the paper's
conversations with sentences of our own; `COMPACT_PROFILE` says the same in few tokens, for models trained from scratch.
`INSTRUCT_PROFILE` is for models that follow instructions: a system message says what an action looks like.
`THINKING_PROFILE` is as short as the compact one, with a thought before each subgoal where the annotation has one.
A model's profile is saved with it (`save`, `load`) or extracted from an annotation file (`profile_from_records`), so
that training and inference use the same text.

    >>> LUMOS_PROFILE.planner_feedback(1, "24")
    'The executed result for Subgoal 1 is 24. Should we stop planning?'
    >>> LUMOS_PROFILE.parse_subgoal("No, I will keep planning. Subgoal 2: Add both.", 2)
    'Subgoal 2: Add both.'
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lumos_rl.core import Message
from lumos_rl.errors import ConfigError, DataError, MissingFileError, UnknownNameError
from lumos_rl.records import well_formed

PROFILE_FILE = "prompt_profile.json"

# Markup of the released Lumos models, for base models without a chat template of their own.
LUMOS_CHAT_TEMPLATE = (
    "{% for message in messages %}{% if not loop.first %}{{ '\n' }}{% endif %}"
    "{% if message['role'] == 'user' %}{{ '<|user|>\n' + message['content'] }}"
    "{% else %}{{ '<|assistant|>\n' }}{% generation %}{{ message['content'] + eos_token }}{% endgeneration %}"
    "{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '\n<|assistant|>\n' }}{% endif %}"
)


@dataclass(frozen=True, slots=True)
class PromptProfile:
    """The fixed text around tasks, subgoals and results.

    Attributes:
        name: Shown in configs and reports.
        subgoal_label: Prefix that numbers a subgoal; `{index}` is filled in. "" leaves subgoals unnumbered.
        planner_before: Text before the task in the planner's first message.
        planner_after: Text after the task in that message.
        grounder_before: Text before the task in the grounder's first message; `{tools}` becomes the tool names.
        subgoal_before: Text between task and subgoal.
        subgoals_before: Text between task and subgoals when all come at once.
        subgoal_after: Text after the subgoal, also in the grounder's later messages.
        feedback: The planner's later messages; `{index}` and `{result}` are filled in.
        keep: Prefix of every subgoal but the first.
        stop: What the planner writes to stop.
        integrated_before: Text before the task for the single model that writes subgoals and actions.
        cot_before: Text before the task for chain of thought.
        direct_before: Text before the task for a direct answer.
        planner_system: The planner's system message, in which `{system_prompt}` becomes the environment's text on the
            task, its actions and tools; "" for none. So are the others.
        onetime_system: That of a planner that writes all subgoals at once.
        grounder_system: The grounder's.
        integrated_system: That of the single model that writes subgoals and actions.
        thinks: Whether the planner learns to write a subgoal's thought (`Subgoal.thought`) before its label.
    """

    name: str
    subgoal_label: str
    planner_before: str
    planner_after: str
    grounder_before: str
    subgoal_before: str
    subgoals_before: str
    subgoal_after: str
    feedback: str
    keep: str
    stop: str
    integrated_before: str
    cot_before: str
    direct_before: str
    planner_system: str = ""
    onetime_system: str = ""
    grounder_system: str = ""
    integrated_system: str = ""
    thinks: bool = False

    def subgoal_line(self, index: int, text: str) -> str:
        """`Subgoal 2: Add both.` for index 2 (from 1) and the bare sentence."""
        return self.subgoal_label.replace("{index}", str(index)) + text

    def plan_turn(self, index: int, text: str, thought: str = "") -> str:
        """What the iterative planner writes for subgoal `index` (from 1), with its thought if the profile thinks."""
        before = f"{thought} " if self.thinks and thought else ""
        return (self.keep if index > 1 else "") + before + self.subgoal_line(index, text)

    def parse_subgoal(self, completion: str, index: int) -> str | None:
        """The subgoal line in an iterative planner's completion.

        Args:
            completion: What the planner wrote.
            index: Number of the subgoal (from 1), added to a sentence without a number.

        Returns:
            The line without `keep` and without a thought before its label; None if the planner decided to stop; "" if
            it wrote nothing. Of several subgoals it is the first: the next is planned when its result is known.
        """
        if completion.strip().lower().startswith(self.stop.lower()):
            return None
        text = self._planned(completion)
        text = text[len(self.parse_thought(completion, index)) :].lstrip()
        text = re.split(r"\n[^\S\n]*(?=Subgoal \d+: )", text, maxsplit=1)[0].rstrip()
        if not text or not self.subgoal_label or re.match(r"Subgoal \d+: ", text):
            return text
        return self.subgoal_line(index, text)

    def parse_thought(self, completion: str, index: int) -> str:
        """What an iterative planner wrote before the label of subgoal `index`; "" for nothing, or without a label."""
        text, label = self._planned(completion), self.subgoal_line(index, "")
        if not label or re.match(r"Subgoal \d+: ", text):
            return ""
        return text[: max(0, text.find(label))].rstrip()

    def _planned(self, completion: str) -> str:
        """The completion without `keep`."""
        text, keep = completion.strip(), self.keep.strip()
        return text[len(keep) :].lstrip() if keep and text.startswith(keep) else text

    def split_subgoals(self, completion: str) -> list[str]:
        """The subgoal lines of a onetime plan, e.g. `Subgoal 1: …; Subgoal 2: …`, in order."""
        separator = r"(?:;[^\S\n]*\n?|\n)(?=Subgoal \d+: )" if self.subgoal_label else r";[^\S\n]+|\n"
        lines = "\n".join(line for each in completion.split("\n") if (line := each.strip()))
        return [part.strip() for part in re.split(separator, lines) if part.strip()]

    def planner_first(self, instruction: str) -> str:
        """The planner's first user message."""
        return f"{self.planner_before}{instruction}{self.planner_after}"

    def planner_feedback(self, index: int, result: str, tells_actions: bool = False) -> str:
        """The planner's user message after a subgoal was executed.

        Args:
            index: Number of the subgoal (from 1).
            result: Its result.
            tells_actions: Whether results are sentences about what was done, such as "Visit button Search".
        """
        if tells_actions and self.subgoal_label and result and not result.startswith("Error: "):
            return f"We have already {result[:1].lower()}{result[1:]}. Should we stop planning?"
        return self.feedback.replace("{index}", str(index)).replace("{result}", result)

    def grounder_first(self, instruction: str, subgoal_line: str, tools: Iterable[str] = ()) -> str:
        """The grounder's first user message for one subgoal line, e.g. "Subgoal 1: Add both."."""
        return f"{self._ground(instruction, tools)}{self.subgoal_before}{subgoal_line}{self.subgoal_after}"

    def grounder_onetime(self, instruction: str, subgoal_lines: Sequence[str], tools: Iterable[str] = ()) -> str:
        """The grounder's only user message when all subgoals are grounded at once."""
        lines = "; ".join(subgoal_lines)
        return f"{self._ground(instruction, tools)}{self.subgoals_before}{lines}{self.subgoal_after}"

    def grounder_next(self, subgoal_line: str, results: Sequence[str] = ()) -> str:
        """The grounder's later user messages.

        Args:
            subgoal_line: The subgoal to ground.
            results: Results of the earlier subgoals, for task types whose grounder reads them, e.g. passages or the
                columns of a table.
        """
        head = f"{self.subgoal_before.lstrip()}{subgoal_line}"
        if results:
            head += " The grounding could be based on the following results:"
            head += "".join(
                f" The execution result for Subgoal {index} is {result}" for index, result in enumerate(results, 1)
            )
        return head + self.subgoal_after

    def _ground(self, instruction: str, tools: Iterable[str]) -> str:
        return self.grounder_before.replace("{tools}", ", ".join(tools)) + instruction

    def save(self, folder: Path) -> None:
        """Writes the profile to a model's folder, as `prompt_profile.json`."""
        path = folder / PROFILE_FILE
        partial = path.with_suffix(".tmp")
        partial.write_text(json.dumps(dataclasses.asdict(self), indent=1, ensure_ascii=False), encoding="utf-8")
        partial.replace(path)

    @classmethod
    def load(cls, folder: Path) -> PromptProfile:
        """The profile that `save` wrote.

        Raises:
            MissingFileError: The folder holds none.
            DataError: The file is not a profile.
        """
        path = folder / PROFILE_FILE
        if not path.is_file():
            raise MissingFileError(f"expected {path}, which training writes with a model; pass a profile name instead")
        try:
            return cls(**well_formed(json.loads(path.read_text(encoding="utf-8"))))
        except (TypeError, ValueError) as error:
            raise DataError(f"expected the fields of PromptProfile in {path}: {error}") from error

    @property
    def hash(self) -> str:
        """Twelve hex digits that change whenever any fixed text changes."""
        texts = dataclasses.asdict(self)
        unused = [each.name for each in dataclasses.fields(self) if each.default == texts[each.name]]
        said = {name: text for name, text in texts.items() if name not in unused}  # so that older profiles keep theirs
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:12]


LUMOS_PROFILE = PromptProfile(
    name="lumos",
    subgoal_label="Subgoal {index}: ",
    planner_before="Work out the subgoals that lead to the answer of the task below, in order.\nTask: ",
    planner_after="; Initial Environment Description: None.",
    grounder_before="Write the executable actions that carry out the subgoal below. Only these actions are available:"
    " {tools}.\n\nTask: ",
    subgoal_before=" \nSubgoal to be grounded: ",
    subgoals_before=" \nSubgoals to be grounded: ",
    subgoal_after="\n",
    feedback="The executed result for Subgoal {index} is {result}. Should we stop planning?",
    keep="No, I will keep planning. ",
    stop="Yes, I will stop planning.",
    integrated_before="Solve the task below in steps. Each reply holds one subgoal on its first line and the executable"
    " actions for it on the second.\nTask: ",
    cot_before='Solve the task below step by step. End with "The answer is", followed by the answer.\nTask: ',
    direct_before="Reply with the answer of the task below and nothing else.\nTask: ",
)

COMPACT_PROFILE = PromptProfile(
    name="compact",
    subgoal_label="",
    planner_before="Plan: ",
    planner_after="",
    grounder_before="Ground: ",
    subgoal_before="\n",
    subgoals_before="\n",
    subgoal_after="",
    feedback="{result}",
    keep="",
    stop="Stop.",
    integrated_before="Solve: ",
    cot_before="Think: ",
    direct_before="Answer: ",
)

_ENDS = 'When nothing is left to do, reply "Yes, I will stop planning."'

INSTRUCT_PROFILE = PromptProfile(
    name="instruct",
    subgoal_label="Subgoal {index}: ",
    planner_before="Task: ",
    planner_after="",
    grounder_before="Task: ",
    subgoal_before="\n",
    subgoals_before="\n",
    subgoal_after="\nActions:",
    feedback="The executed result for Subgoal {index} is {result}. Should we stop planning?",
    keep="",
    stop="Yes, I will stop planning.",
    integrated_before="Task: ",
    cot_before=LUMOS_PROFILE.cot_before,
    direct_before=LUMOS_PROFILE.direct_before,
    planner_system="{system_prompt}\n\nYou are the planner: you write the subgoals, and not the actions. Reply with the"
    f' next subgoal in one line, "Subgoal 1: " and a sentence. {_ENDS}',
    onetime_system="{system_prompt}\n\nYou are the planner: you write the subgoals, and not the actions. Reply with all"
    ' subgoals in one line, separated by "; ": "Subgoal 1: " and a sentence, "Subgoal 2: " and a sentence.',
    grounder_system="{system_prompt}\n\nYou write the actions of the subgoals that you are given. Reply with these"
    " actions in one line, and with nothing else.",
    integrated_system="{system_prompt}\n\nReply with two lines: the next subgoal, and its actions; the results are then"
    f" told. {_ENDS}",
)

THINKING_PROFILE = dataclasses.replace(COMPACT_PROFILE, name="thinking", subgoal_label="Subgoal {index}: ", thinks=True)

DEFAULT_PROFILE = LUMOS_PROFILE
PROFILES: Mapping[str, PromptProfile] = {
    profile.name: profile for profile in (LUMOS_PROFILE, COMPACT_PROFILE, INSTRUCT_PROFILE, THINKING_PROFILE)
}


def get_profile(name: str) -> PromptProfile:
    """A built-in profile by name, or one saved in the folder `name`.

    Raises:
        UnknownNameError: Neither a built-in name nor a folder.
    """
    if name in PROFILES:
        return PROFILES[name]
    if Path(name).is_dir():
        return PromptProfile.load(Path(name))
    raise UnknownNameError("prompt profile", name, PROFILES)


def extract_answer(completion: str) -> str:
    """The answer in a chain of thought: what follows the last "answer is", else the last number, else the last line."""
    found = re.split(r"answer is:?\s*", completion, flags=re.IGNORECASE)
    if len(found) > 1:
        return found[-1].strip().split("\n")[0].rstrip(". ")
    numbers = re.findall(r"-?\d[\d,]*(?:\.\d+)?(?:/\d+)?", completion)
    return numbers[-1] if numbers else completion.strip().split("\n")[-1]


def profile_from_records(
    planner: Iterable[Sequence[Message]], grounder: Iterable[Sequence[Message]], name: str
) -> PromptProfile:
    """Extracts the fixed text from annotated conversations, such as the released Lumos files.

    Args:
        planner: Conversations of the planner.
        grounder: Conversations of the grounder, iterative form.
        name: Name of the new profile.

    Returns:
        `LUMOS_PROFILE` with the sentences that these conversations start with.

    Raises:
        ConfigError: The first user turns do not share one text before `Task: `.
    """
    plan = {_before_task(messages, name) for messages in planner}
    ground = {_before_task(messages, name) for messages in grounder}
    if len(plan) != 1 or len(ground) != 1:
        raise ConfigError(
            f"expected one instruction per module in {name}, got {len(plan)} for the planner and {len(ground)} for the"
            " grounder; split the file by data set first"
        )
    (planner_system, planner_before), (grounder_system, grounder_before) = plan.pop(), ground.pop()
    return dataclasses.replace(
        LUMOS_PROFILE,
        name=name,
        planner_before=planner_before,
        grounder_before=grounder_before,
        planner_system=planner_system,
        grounder_system=grounder_system,
    )


def _before_task(messages: Sequence[Message], name: str) -> tuple[str, str]:
    """The system message of a conversation, "" without one, and its first user turn up to the task."""
    system = messages[0]["content"] if messages[0]["role"] == "system" else ""
    text = messages[bool(system)]["content"]
    head, found, _ = text.partition("Task: ")
    if not found:
        raise ConfigError(f"expected 'Task: ' in the first user turn of {name}, got {text[:60]!r}")
    return system, head + found


NO_ANSWER = "No answer"
_EVIDENCE, _QUESTION = "\nEvidence:\n", "\nQuestion: "
_YES_NO_HEAD = "Answer the question with yes or no and nothing else."
_ANSWER_HEAD = "Answer the question in as few words as possible."


def reading_prompt(question: str, evidence: Sequence[str], yes_no: bool = False) -> str:
    """The prompt of a reader: a question, with or without lines of evidence.

    Args:
        question: One question.
        evidence: Texts of one line each; without any, the reader answers from its own knowledge.
        yes_no: Whether the answer must be yes or no; otherwise the reader may also reply "No answer".
    """
    head = _YES_NO_HEAD if yes_no else f'{_ANSWER_HEAD} Write "{NO_ANSWER}" where it cannot be told.'
    lines = _EVIDENCE + "\n".join(" ".join(line.split()) for line in evidence) if evidence else ""
    return f"{head}{lines}{_QUESTION}{' '.join(question.split())}\nAnswer:"


def parse_reading(prompt: str) -> tuple[str, list[str], bool]:
    """Question, evidence and `yes_no` of a prompt by `reading_prompt`."""
    before, _, after = prompt.rpartition(_QUESTION)
    head, _, evidence = before.partition(_EVIDENCE)
    return after.removesuffix("\nAnswer:"), evidence.splitlines(), head.startswith(_YES_NO_HEAD)


def judging_prompt(question: str, answer: str, gold: str) -> str:
    """The prompt of a judge, which replies yes or no."""
    return (
        f"Question: {question}\nReference answer: {gold}\nGiven answer: {answer}\n"
        "Does the given answer mean the same as the reference answer? Reply with yes or no."
    )
