"""The nightly jobs that make callers findable and score everyone.

`plan` cuts the book into ranges of keys and shows the result at once; `ranges` scores one range, by whichever process;
`engines` says which processes. `directory` is what callers are found by.
"""

from churn.scoring.directory import sync_directory
from churn.scoring.plan import AlreadyScoring, NoModel, Scored, score_everyone
from churn.scoring.ranges import PlanGone

__all__ = ["AlreadyScoring", "NoModel", "PlanGone", "Scored", "score_everyone", "sync_directory"]
