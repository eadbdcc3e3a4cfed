"""The benchmarks' scorers (`answers`), and intervals of scores and of their differences (`statistics`).

>>> exact_match("The Eiffel Tower", "eiffel tower"), numeric_match("1,000.0", "1000")
(True, True)
"""

from lumos_rl.metrics.answers import (
    exact_match,
    kendall_tau,
    normalize_answer,
    numeric_match,
    parse_number,
    row_iou,
    row_iou_kendall,
    token_f1,
    yes_no,
    yes_no_match,
)
from lumos_rl.metrics.statistics import (
    Difference,
    detectable_difference,
    mean_interval,
    paired_difference,
    share_interval,
    wilson_interval,
)

__all__ = [
    "Difference",
    "detectable_difference",
    "exact_match",
    "kendall_tau",
    "mean_interval",
    "normalize_answer",
    "numeric_match",
    "paired_difference",
    "parse_number",
    "row_iou",
    "row_iou_kendall",
    "share_interval",
    "token_f1",
    "wilson_interval",
    "yes_no",
    "yes_no_match",
]
