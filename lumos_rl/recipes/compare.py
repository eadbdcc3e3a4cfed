"""Compares two policies on the tasks that both were tested on: `python -m lumos_rl.recipes.compare --help`.

    python -m lumos_rl.recipes.compare runs/tiny-0:rs-2 runs/tiny-0:control
    python -m lumos_rl.recipes.compare "runs/tiny-*:rs-2" "runs/tiny-*:control"     # seeds in pairs
    python -m lumos_rl.recipes.compare runs/tiny-*                                  # a table of all policies

The difference is paired: task by task, and seed by seed where a pattern names several runs. Its 95 % interval is a
bootstrap over tasks and seeds. An interval from one seed says nothing about other seeds. The last column is the
smallest difference that tasks and seeds as these would show with 80 % power. The table of all policies has their
differences to the one that --to names, their means, and the scores of single seeds.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Annotated

import tyro

from lumos_rl.console import failed, until_pipe_closes
from lumos_rl.errors import ConfigError, LumosError
from lumos_rl.runs.compare import SUCCESS, Measure, compared, side
from lumos_rl.runs.tables import comparison_table, policies_table


@dataclass(frozen=True, slots=True)
class CompareConfig:
    """What is compared.

    Attributes:
        what: Two of RUN:POLICY, with a run's folder or a pattern such as "runs/tiny-*"; or, for a table, any number of
            runs.
        kind: Episodes: greedy or sampled.
        metric: success, reward (as a share of the highest), or a metric of the benchmarks, such as f1.
        to: The policy that a table compares the others with.
    """

    what: Annotated[tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="RUN:POLICY RUN:POLICY | RUN …")]
    kind: str = "greedy"
    metric: str = SUCCESS
    to: str = "control"


def main(config: CompareConfig) -> str:
    """The text of the comparison.

    Raises:
        LumosError: A run, policy or metric is unknown, or there is nothing to compare.
    """
    measure = Measure(config.kind, config.metric)
    with_policy = [":" in word for word in config.what]
    if config.what and not any(with_policy):
        return policies_table(config.what, config.to, measure)
    if with_policy != [True, True]:
        raise ConfigError(
            f"expected two of RUN:POLICY, or runs alone for a table, got {' '.join(config.what) or 'nothing'}; --help"
            " has examples"
        )
    first, second = config.what
    return comparison_table(first, second, compared(side(first), side(second), measure), measure)


if __name__ == "__main__":
    try:
        with until_pipe_closes():
            print(main(tyro.cli(CompareConfig, description=__doc__)))
    except LumosError as error:
        sys.exit(failed(str(error)))
