"""The benchmarks' scorers (`answers`) and confidence intervals over episodes (`statistics`).

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
from lumos_rl.metrics.statistics import mean_interval, wilson_interval

__all__ = [
    "exact_match",
    "kendall_tau",
    "mean_interval",
    "normalize_answer",
    "numeric_match",
    "parse_number",
    "row_iou",
    "row_iou_kendall",
    "token_f1",
    "wilson_interval",
    "yes_no",
    "yes_no_match",
]
