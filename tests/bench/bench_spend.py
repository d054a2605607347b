"""How often the interval of a return holds a simulated company's truth: measured, modelled, and by its own records.

Twenty seeds each.

python3 -m churn bench spend
"""

from __future__ import annotations

import time
from functools import partial

from churn.core.finance.incremental import incremental_return
from tests.core.spend_worlds import recorded, settled

SEEDS, CUSTOMERS = range(1, 21), 4_000


def main() -> None:
    """One line a company, then how many of each kind were held."""
    for name, world_of in (
        ("trial, 30 % held out by lot", partial(settled, held_out=0.3)),
        ("no trial: the team's money runs out", partial(settled, held_out=0.0)),
        ("the company's own records, as they are", recorded),
    ):
        print(f"\n{name}: {len(SEEDS)} companies of {CUSTOMERS:,} customers over 24 months, 90 % intervals")
        print(f"{'seed':>4}{'with':>7}{'without':>9}{'truth £':>10}{'told £':>10}{'from':>10}{'to':>10}  held")
        began, margins, kept, dead = time.perf_counter(), 0, 0, 0
        for seed in SEEDS:
            world = world_of(seed, customers=CUSTOMERS)
            told = incremental_return(world.log)
            assert told.margin is not None
            assert told.kept is not None
            assert told.deadweight is not None
            is_held = told.margin.low <= world.margin <= told.margin.high
            margins += is_held
            kept += told.kept.low <= world.kept <= told.kept.high
            dead += told.deadweight.low <= world.deadweight <= told.deadweight.high
            row = (world.margin, told.margin.middle, told.margin.low, told.margin.high)
            print(
                f"{seed:>4}{told.given:>7,}{told.without:>9,}" + "".join(f"{x:>10,.0f}" for x in row) + f"  {is_held}"
            )
        print(
            f"{told.label}: margin held {margins} of {len(SEEDS)}, customers {kept}, deadweight {dead}; "
            f"{time.perf_counter() - began:.0f} s"
        )


if __name__ == "__main__":
    main()
