"""Who gives otherwise than others give to callers like theirs: money against the case mix, in a funnel.

What a call is expected to be given comes from calls of other agents (ridge regression on what was known before it,
agents dealt into folds). Differences are drawn to the mean by what chance explains, and limits widened by how much
people differ anyway (`churn.core.trends.funnel`).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.linear_model import Ridge
from sklearn.model_selection import GroupKFold

from churn.core.effects.context import Encoder, columns_of
from churn.core.leaving.candidates import one_thread
from churn.core.refusals import NotEnoughData
from churn.core.trends.funnel import Funnel, Place, place_all

Array = NDArray[np.float64]
FOLDS = 5
FEWEST_CALLS, FEWEST_GIVEN = 200, 50


def expected_amounts(context: pd.DataFrame, amounts: Array, agents: NDArray[np.object_]) -> Array:
    """(n,) amounts expected for (n, p) calls, each from calls of other agents. Raises NotEnoughData."""
    given = int((amounts > 0).sum())
    if len(amounts) < FEWEST_CALLS or given < FEWEST_GIVEN or len(np.unique(agents)) < FOLDS:
        raise NotEnoughData(len(amounts), given, rows_needed=FEWEST_CALLS, fewer_needed=FEWEST_GIVEN)
    columns = columns_of(context)
    features = Encoder.fit(columns).linear(columns, len(amounts))
    expected = np.empty(len(amounts))
    with one_thread():
        for learn, test in GroupKFold(FOLDS).split(features, groups=agents):
            expected[test] = Ridge(alpha=20.0).fit(features[learn], amounts[learn]).predict(features[test])
    return expected.clip(min=0.0)


def givers(amounts: Array, expected: Array, agents: NDArray[np.object_]) -> tuple[Funnel, list[str], list[Place]]:
    """The funnel, the agents in order, and each one's place, in money a call above what was expected."""
    variance = float(np.mean((amounts - expected) ** 2))
    frame = pd.DataFrame({"agent": agents, "amount": amounts, "expected": expected}).groupby("agent")
    sums, calls = frame.sum(), frame.size().to_numpy(float)
    funnel, places = place_all(calls, sums["amount"], sums["expected"], calls * variance)
    return funnel, [str(agent) for agent in sums.index], places
