"""Known holes of the packages that are installed, as pip-audit finds them at an advisory service (osv.dev)."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys

TOOL = "pip-audit==2.10.1"


class NotAudited(RuntimeError):
    """The packages could not be looked up, or not all of them."""


def known_holes() -> list[str]:
    """One line for each hole of an installed package. Raises NotAudited: silence is never taken for safety."""
    if importlib.util.find_spec("pip_audit") is None:
        raise NotAudited(f"Not audited: install the tool first, {sys.executable} -m pip install {TOOL}")
    arguments = ("--vulnerability-service", "osv", "--format", "json", "--progress-spinner", "off")
    done = subprocess.run([sys.executable, "-m", "pip_audit", *arguments], capture_output=True, text=True, check=False)
    return read_report(done.stdout)


def read_report(text: str) -> list[str]:
    """The holes in pip-audit's JSON. A package it skipped (it ends with success all the same) is not audited."""
    try:
        packages = json.loads(text)["dependencies"]
    except (ValueError, KeyError, TypeError):
        raise NotAudited(
            "Not audited: the advisory service was not reached; run this where there is internet."
        ) from None
    skipped = [one["name"] for one in packages if "skip_reason" in one]
    if skipped or not packages:
        raise NotAudited(f"Not audited: {', '.join(skipped) or 'no package'} could not be looked up.")
    return [
        f"{one['name']} {one['version']}: {hole['id']}, mended in {', '.join(hole['fix_versions']) or 'no version yet'}"
        for one in packages
        for hole in one["vulns"]
    ]
