"""Named refusals of the models: each message is a sentence an analyst can act on."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

TOO_GOOD = 0.95  # an AUC no honest churn file reaches often: a question, not a success
TELLS_ALL = 0.9
NEARLY_ALL = 0.9  # share of the whole model's lift over chance that one column alone may have
SCORE_WORDS = frozenset(
    {"bayes", "classifier", "predicted", "prediction", "probability", "proba", "prob", "propensity", "score", "scored"}
)


class NotEnoughData(ValueError):
    """There are too few rows, or too few of one outcome, to learn from."""

    def __init__(self, n_rows: int, n_fewer: int, *, rows_needed: int, fewer_needed: int) -> None:
        self.n_rows, self.n_fewer = n_rows, n_fewer
        super().__init__(
            f"There are {n_rows:,} rows and {n_fewer:,} of the rarer outcome; "
            f"at least {rows_needed:,} rows and {fewer_needed:,} of each outcome are needed."
        )


class ColumnsMissing(ValueError):
    """A column the model was trained on is not in the data to score."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        super().__init__(f"The model was trained on columns that are missing here: {', '.join(self.names)}.")


class LeakSuspected(ValueError):
    """The data seem to contain the answer: questions for the analyst, all of them, one sentence each."""

    def __init__(self, suspicions: Sequence[str]) -> None:
        self.suspicions = tuple(suspicions)
        super().__init__(" ".join(self.suspicions))


def leak_suspicions(auc: float, alone: Mapping[str, float], words: Mapping[str, Collection[str]]) -> list[str]:
    """Sentences for the analyst where data seem to hold the answer; empty when nothing does.

    `auc` is the held-out AUC of the whole model, `alone` that of each column by itself, `words` the words of its name.
    A file of a few columns may honestly rest on one of them, so that question is put only from five columns on.
    """
    found = []
    for name, own in sorted(alone.items(), key=lambda entry: (-entry[1], entry[0])):
        if own >= 0.999:
            found.append(
                f"The column {name} gives the outcome away by itself: is it a copy of it, or known only after it?"
            )
        elif own >= TELLS_ALL:
            found.append(f"The column {name} alone reaches an AUC of {own:.2f}: is it known before the outcome?")
        elif own >= 0.65 and SCORE_WORDS & set(words[name]):
            found.append(
                f"The column {name} is named like a model's score (AUC alone {own:.2f}): what is it made from?"
            )
        elif len(alone) >= 5 and auc >= 0.75 and own - 0.5 >= NEARLY_ALL * (auc - 0.5):
            found.append(
                f"The column {name} alone gives nearly all there is (AUC {own:.2f} of {auc:.2f}): is it known before?"
            )
    if auc > TOO_GOOD:
        found.append(
            f"The whole reaches an AUC of {auc:.3f} on rows it has not seen, more than honest data usually give."
        )
    return found


class NoBetterThanUsual(ValueError):
    """What was learned says no more about a customer not seen than the rate of all does."""

    def __init__(self, learned: float, usual: float) -> None:
        self.learned, self.usual = learned, usual
        super().__init__(
            f"On customers not seen the model is no better than the usual rate "
            f"(log loss {learned:.3f} against {usual:.3f}), so it is not used."
        )
