"""The models: fitted and judged, put into use."""

from __future__ import annotations

import argparse

from churn.commands import shared


def add(command: shared.Command) -> None:
    """train, promote."""
    command("train", train, "fit and judge the models on the data as it is")
    promote_ = command("promote", promote, "make a model version the current one")
    promote_.add_argument("version", type=int)
    promote_.add_argument("--by", required=True, metavar="PERSON")


def train(_asked: argparse.Namespace) -> int:
    """New model versions, each judged; a refusal is a sentence among them."""
    from churn import training

    settings, progress = shared.existing(), shared.Progress()
    with progress.step("Models"):
        reports = training.train(settings, progress=progress, by=shared.who())
    for report in reports:
        print(report)
    return 0


def promote(asked: argparse.Namespace) -> int:
    """A version becomes current by a person's name."""
    from churn import db, registry

    with db.connect(shared.existing(), "batch") as connection:
        registry.promote(connection, asked.version, asked.by)
    print(f"Model version {asked.version} is current, by {asked.by}.")
    return 0
