"""What the notes are about: topics that keep their names from one night to the next.

Notes are weighed words (tf-idf) taken apart into topics by non-negative factors (Lee and Seung 1999). Most of what
agents type is habit ("happy with that", "call back arranged"); such words appear under every contact reason alike. So
a word counts by how much it says about the reason (the divergence of reasons among notes with it from those of all
notes), and one that says nearly nothing is left out. A company that codes no reasons keeps all words.

A new fit's topics are paired with those of the fit before by the likeness of their words, one to one, for the best
total (Hungarian method): a topic found again keeps its id and its name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.sparse import csr_matrix, diags
from sklearn.decomposition import NMF
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS, CountVectorizer, TfidfTransformer

Array = np.ndarray[Any, Any]

TOPICS = 24
LEAST_NOTES = 200  # fewer make no topics
LEAST_SAYS = 0.3  # nats a word must say about the reason
WORDS_KEPT = 40  # of a topic: enough to know it again by
NAME_WORDS = 3
SAME = 0.5  # cosine from which a topic is the one of before
TYPO = 0.8  # likeness of two words that are one
SURE = 3.5  # standard deviations from which a word marks some notes off from others
LEAST_TOLD = 0.08  # of those notes: a word in fewer is no name for them
LEAST_LIKE = 0.15  # of a note to its topic: a note below it is about none of them
TOKEN = r"(?u)\b[^\W\d_]{2,}\b"  # noqa: S105 - what a word is: letters, two of them at least


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic: `words` are its heaviest, unit length in all; `share` of the notes that are about it."""

    topic_id: int | None  # None: new
    name: str
    words: Mapping[str, float]
    share: float


@dataclass(frozen=True, slots=True)
class Topics:
    """A fit: (topics, vocabulary) unit rows over `vocabulary`, and each word's weight."""

    topics: tuple[Topic, ...]
    vocabulary: tuple[str, ...]
    weights: Array
    factors: Array

    def assign(self, notes: Sequence[str]) -> Array:
        """(n,) place of the topic each note is most alike; -1 for a note about none of them."""
        if not len(notes) or not self.topics:
            return np.full(len(notes), -1)
        counted = _counter(vocabulary=self.vocabulary).transform(notes)
        likeness = np.asarray((_unit(_damped(counted) @ diags(self.weights)) @ csr_matrix(self.factors).T).todense())
        best = likeness.argmax(axis=1)
        return np.where(likeness[np.arange(len(best)), best] >= LEAST_LIKE, best, -1)


def fit(notes: Sequence[str], reasons: Sequence[str | None], *, topics: int = TOPICS, seed: int = 0) -> Topics | None:
    """Topics of a sample of notes, largest first, not yet named after those of before; None for too few notes."""
    if len(notes) < LEAST_NOTES:
        return None
    counter = _counter(min_df=max(3, len(notes) // 2000), max_df=0.3, max_features=4000)
    try:
        counted = counter.fit_transform(notes)
    except ValueError:  # nothing but words that are too rare or too common
        return None
    says = information(counted, reasons)
    kept = np.flatnonzero(says >= LEAST_SAYS)
    if len(kept) < 2 * topics:
        return None
    idf = TfidfTransformer(sublinear_tf=True).fit(counted).idf_[kept]
    weights = idf * says[kept]
    told = _unit(_damped(counted[:, kept]) @ diags(weights))
    told = told[np.flatnonzero(told.getnnz(axis=1))]
    mixture, model = _factors(told, min(topics, told.shape[0]), seed)
    length = np.linalg.norm(model.components_, axis=1)
    alive = np.flatnonzero(length > 0)
    vocabulary = tuple(counter.get_feature_names_out()[kept].tolist())
    factors = model.components_[alive] / length[alive, None]
    share = np.bincount((mixture[:, alive] * length[alive]).argmax(axis=1), minlength=len(alive)) / told.shape[0]
    order = np.argsort(-share, kind="stable")
    found = tuple(_topic(factors[k], vocabulary, float(share[k])) for k in order)
    return Topics(found, vocabulary, weights, factors[order])


def named_after(new: Topics, before: Sequence[Topic]) -> Topics:
    """The same topics, each with id and name of the topic of before that it continues."""
    if not before or not new.topics:
        return new
    likeness = np.array([[_cosine(one.words, old.words) for old in before] for one in new.topics])
    rows, columns = linear_sum_assignment(-likeness)
    named = list(new.topics)
    for row, column in zip(rows, columns, strict=True):
        if likeness[row, column] >= SAME:
            old = before[column]
            named[row] = Topic(old.topic_id, old.name, named[row].words, named[row].share)
    return Topics(tuple(named), new.vocabulary, new.weights, new.factors)


def information(counted: csr_matrix, reasons: Sequence[str | None]) -> Array:
    """(words,) nats each word says about the reason: Σ p(r|w) log(p(r|w) / p(r)); 1 everywhere without reasons."""
    labels, which = np.unique([reason or "" for reason in reasons], return_inverse=True)
    if len(labels) < 2:
        return np.ones(counted.shape[1])
    member = csr_matrix((np.ones(len(which)), (which, np.arange(len(which)))), shape=(len(labels), len(which)))
    base = np.asarray(member.sum(axis=1)).ravel() / len(which)
    present = (counted > 0).astype(float)
    by_reason = np.asarray((member @ present).todense()) + 0.5 * base[:, None]  # a rare word says less than it seems
    chance = by_reason / by_reason.sum(axis=0)
    return np.asarray((chance * np.log(chance / base[:, None])).sum(axis=0))


def distinctive(notes: Sequence[str], against: Sequence[str], most: int = NAME_WORDS) -> list[str]:
    """The words and pairs of words that mark `notes` off from `against`, the most telling first.

    Log-odds with an informative prior from both together, in standard deviations (Monroe, Colaresi and Quinn 2008).
    """
    if len(notes) < 3:
        return []
    try:
        counter = _counter(min_df=2)
        counted = (counter.fit_transform([*notes, *against]) > 0).astype(float)
    except ValueError:
        return []
    mine = np.asarray(counted[: len(notes)].sum(axis=0)).ravel()
    theirs = np.asarray(counted[len(notes) :].sum(axis=0)).ravel()
    both, n, m = mine + theirs, len(notes), len(against)
    prior = 10 * both / max(n + m, 1) + 0.01
    first, second = mine + prior, theirs + prior
    odds = np.log(first / (n + 10 - mine + 0.01)) - np.log(second / (m + 10 - theirs + 0.01))
    score = odds / np.sqrt(1 / first + 1 / second)
    names = counter.get_feature_names_out()
    told = {names[k]: float(score[k]) for k in np.flatnonzero((score > SURE) & (mine >= LEAST_TOLD * n))}
    return without_parts(_pairs_first(told))[:most]


def without_parts(ranked: Sequence[str]) -> list[str]:
    """The words in their order, none that shares a word, typing mistakes included, with one further up."""
    kept: list[str] = []
    for words in ranked:
        if not any(_alike(words, other) for other in kept):
            kept.append(words)
    return kept


def _alike(words: str, other: str) -> bool:
    """Whether two names share a word, or nearly: hurried hands type `acount`."""
    return any(SequenceMatcher(None, a, b).ratio() > TYPO for a in words.split() for b in other.split())


def _factors(told: csr_matrix, topics: int, seed: int) -> tuple[Array, NMF]:
    """(notes, topics) weights and the fitted factors, begun from the singular vectors."""
    settings: dict[str, Any] = {"random_state": seed, "max_iter": 400, "tol": 1e-3}
    try:
        with np.errstate(invalid="raise"):
            model = NMF(topics, init="nndsvd", **settings)
            return model.fit_transform(told), model
    except FloatingPointError:  # fewer kinds of notes than topics: there are no more singular vectors to begin from
        model = NMF(topics, init="random", **settings)
        return model.fit_transform(told), model


def _topic(factor: Array, vocabulary: Sequence[str], share: float) -> Topic:
    heaviest = np.argsort(-factor)[:WORDS_KEPT]
    words = {vocabulary[k]: float(factor[k]) for k in heaviest if factor[k] > 0}
    return Topic(None, " · ".join(without_parts(_pairs_first(words))[:NAME_WORDS]), words, share)


def _pairs_first(weights: Mapping[str, float]) -> list[str]:
    # A pair of words says more to a reader than its parts, which weigh about as much; "on the" says nothing.
    telling = [word for word in weights if any(len(w) > 2 and w not in ENGLISH_STOP_WORDS for w in word.split())]
    return sorted(telling, key=lambda word: (-weights[word] * (1.3 if " " in word else 1.0), word))


def _counter(**settings: Any) -> CountVectorizer:
    return CountVectorizer(ngram_range=(1, 2), token_pattern=TOKEN, strip_accents="unicode", **settings)


def _damped(counted: csr_matrix) -> csr_matrix:
    damped = counted.astype(float)
    damped.data = 1 + np.log(damped.data)
    return damped


def _unit(rows: csr_matrix) -> csr_matrix:
    length = np.sqrt(np.asarray(rows.multiply(rows).sum(axis=1)).ravel())
    return csr_matrix(diags(1 / np.maximum(length, 1e-12)) @ rows)


def _cosine(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    common = sum(weight * other[word] for word, weight in one.items() if word in other)
    lengths = np.sqrt(sum(w * w for w in one.values()) * sum(w * w for w in other.values()))
    return float(common / max(lengths, 1e-12))
