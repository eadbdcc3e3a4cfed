"""The table of handlers for `expressions`: sqlglot's key of a node → function that reads and rewrites it.

HANDLERS["between"]     # comparisons._between
"""

from __future__ import annotations

from collections.abc import Mapping

from lumos_rl.envs.sql.tools import aggregates, comparisons, invocations, values
from lumos_rl.envs.sql.tools.expressions import Handler

HANDLERS: Mapping[str, Handler] = {
    **aggregates.HANDLERS,
    **comparisons.HANDLERS,
    **values.HANDLERS,
    **invocations.HANDLERS,
}
