"""How many episodes of a rollout may fail for infrastructure reasons before it is not worth continuing.

    failures = Failures("episodes of sft")
    for trajectory in played:
        failures.note(trajectory)         # raises after so many in a row that something must be down
    failures.check(trajectories)          # raises if more than a small share of all of them failed

One bad request fails its episode alone, which is counted and kept out of scores; a run of nothing but failures ends.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence

from lumos_rl.core import Trajectory
from lumos_rl.errors import InfrastructureError

log = logging.getLogger(__name__)

IN_A_ROW = 100  # failed episodes, after which the rest is not tried
SHARE = 0.1  # of all episodes: more failures would change what the others say
AGAIN = "mend that, and run the same command again: only failed and missing episodes are played"


class Failures:
    """Counts the failed episodes of one rollout.

    Args:
        what: The episodes, for messages.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._row = 0

    def note(self, trajectory: Trajectory) -> None:
        """Counts an episode as it ends.

        Raises:
            InfrastructureError: It is one of too many failures in a row.
        """
        self._row = 0 if trajectory.failure is None else self._row + 1
        if self._row >= IN_A_ROW:
            raise InfrastructureError(
                f"expected {self._what}, got {self._row} failures in a row, the last: {trajectory.failure}; {AGAIN}"
            )

    def check(self, trajectories: Sequence[Trajectory]) -> None:
        """Judges all episodes together, and logs how many failed.

        Raises:
            InfrastructureError: All of them failed, or more than one and a tenth.
        """
        failures = Counter(each.failure for each in trajectories if each.failure is not None)
        count = failures.total()
        if not count:
            return
        ((reason, times),) = failures.most_common(1)
        said = f"infrastructure failures in {count} of {len(trajectories)}, {times} of them: {reason}"
        if count == len(trajectories) or count > max(1, SHARE * len(trajectories)):
            raise InfrastructureError(f"expected {self._what}, got {said}; {AGAIN}")
        log.warning("%s: %s; they are left out of scores and of what is learned", self._what, said)
