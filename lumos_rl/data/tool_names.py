"""Names of the tools that a benchmark's plans use, for prompts that list them.

>>> tool_names("strategyqa")
('KnowledgeQuery', 'ParagraphRetrieve', 'QA', 'Calculator', 'Code')
"""

from __future__ import annotations

from collections.abc import Mapping

_MATH = ("Calculator", "SetEquation", "SolveEquation", "SolveInequality", "Count", "Define", "Code")
_QA = ("KnowledgeQuery", "ParagraphRetrieve", "QA", "Calculator", "Code")
TOOL_NAMES: Mapping[str, tuple[str, ...]] = {  # as the environments list them, without Finish
    "gsm8k": _MATH,
    "hotpotqa": _QA,
    "intercode_sql": ("ListTables", "DescribeTable", "Query"),
    "mawps": _MATH,
    "mind2web": ("CLICK", "TYPE", "SELECT"),
    "strategyqa": _QA,
    "svamp": _MATH,
    "webshop": ("Search", "Click", "FeatureRetrieve", "Pick", "Act"),
}


def tool_names(benchmark: str) -> tuple[str, ...]:
    """Tool names of a benchmark, in the order its environment lists them; none for an unknown one."""
    return TOOL_NAMES.get(benchmark, ())
