"""Topics that keep their names, and the words that mark some notes off."""

from __future__ import annotations

import numpy as np
import pytest

from churn.core.voice import topics
from churn.core.voice.topics import Topic, Topics

ABOUT = {
    "fault": ["broadband keeps dropping", "router shows no light", "internet line very slow"],
    "billing": ["bill higher than expected", "charged twice this month", "credit missing from invoice"],
    "account": ["locked out of app", "password reset wanted", "change of email address"],
}
HABITS = ["customer happy with that", "call back arranged", "no further action", "passed security checks"]


def notes(n: int = 900, seed: int = 1, extra: str | None = None) -> tuple[list[str], list[str]]:
    """Notes as agents type them: what it is about, and their habits; one in ten about `extra`, coded as a fault."""
    rng = np.random.default_rng(seed)
    reasons = rng.choice(list(ABOUT), n).tolist()
    texts = [f"{rng.choice(HABITS)} {rng.choice(ABOUT[r])} {rng.choice(HABITS)}" for r in reasons]
    for k in range(0, n, 10) if extra else ():
        texts[k], reasons[k] = f"{rng.choice(HABITS)} {extra}", "fault"
    return texts, reasons


def fitted(**settings: object) -> Topics:
    made = topics.fit(*notes(**settings), topics=9)
    assert made is not None
    return made


def test_topics_are_what_notes_are_about_and_not_the_agents_habits() -> None:
    made = fitted()
    told = {word for topic in made.topics for word in topic.words}
    assert "router" in told
    assert not {"happy", "arranged", "further", "security"} & told


def test_each_kind_of_problem_is_a_topic_of_its_own() -> None:
    made = fitted()
    known = [text for group in ABOUT.values() for text in group]
    assert len(set(made.assign(known).tolist())) == len(known)


def test_a_note_about_none_of_them_is_left_alone() -> None:
    assert fitted().assign(["zebra crossing", "", "happy with that"]).tolist() == [-1, -1, -1]


def test_the_same_notes_give_the_same_topics() -> None:
    one, other = fitted(), fitted()
    assert [topic.words for topic in one.topics] == [topic.words for topic in other.topics]


def test_a_topic_found_again_the_next_night_keeps_its_id_and_name() -> None:
    first = fitted()
    known = [Topic(k + 1, f"named {k + 1}", topic.words, topic.share) for k, topic in enumerate(first.topics)]
    again = topics.named_after(fitted(seed=2), known)
    assert sorted(topic.topic_id or 0 for topic in again.topics) == list(range(1, 10))
    by_id = {topic.topic_id: topic for topic in known}
    for topic in again.topics:
        before = by_id[topic.topic_id]
        assert topic.name == before.name
        assert set(list(topic.words)[:2]) & set(before.words)


def test_what_is_new_gets_no_old_name() -> None:
    before = fitted()
    known = [Topic(k + 1, f"named {k + 1}", topic.words, topic.share) for k, topic in enumerate(before.topics)]
    made = topics.fit(*notes(extra="hub red light after update"), topics=10)
    assert made is not None
    fresh = [topic for topic in topics.named_after(made, known).topics if topic.topic_id is None]
    assert len(fresh) == 1
    assert "red light" in fresh[0].words


def test_too_few_notes_make_no_topics() -> None:
    assert topics.fit(*notes(n=topics.LEAST_NOTES - 1)) is None
    assert topics.fit(["happy"] * 500, ["fault"] * 500) is None


def test_without_reasons_every_word_counts_alike() -> None:
    texts, _ = notes()
    counted = topics._counter().fit_transform(texts)
    assert (topics.information(counted, [None] * len(texts)) == 1).all()
    assert topics.fit(texts, [None] * len(texts), topics=9) is not None


def test_the_information_of_a_word_is_the_divergence_of_its_reasons() -> None:
    counted = topics._counter().fit_transform(["red", "red", "blue", "green"] * 500)
    says = topics.information(counted, ["a", "a", "b", "a"] * 500)
    # blue: only b, a quarter of all: log(4); green and red only a: log(4/3)
    assert says == pytest.approx([np.log(4), np.log(4 / 3), np.log(4 / 3)], abs=0.01)


def test_the_words_that_mark_a_burst_off_are_its_name() -> None:
    rng = np.random.default_rng(3)
    usual = [f"{rng.choice(HABITS)} {rng.choice(ABOUT['fault'])}" for _ in range(400)]
    burst = [*usual[:30], *(f"{rng.choice(HABITS)} hub red light since update" for _ in range(60))]
    telling = topics.distinctive(burst, usual[30:])
    assert "red light" in " ".join(telling) or "hub red" in telling
    assert not any("happy" in words or "arranged" in words for words in telling)


def test_notes_like_all_others_have_no_telling_words() -> None:
    texts, _ = notes(600)
    assert topics.distinctive(texts[:100], texts[100:]) == []
    assert topics.distinctive([], texts) == []


def test_a_typing_mistake_is_no_second_word() -> None:
    assert topics.without_parts(["account", "acount", "router light", "light"]) == ["account", "router light"]
