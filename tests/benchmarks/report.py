"""Prints findings, and saves them as JSON for a later comparison."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.figures import Finding, Spread, Target

_VERDICTS = {True: "holds", False: "MISSED", None: ""}


def described(finding: Finding) -> str:
    """Return a few lines about a finding."""
    verdict = _VERDICTS[finding.holds]
    target = f"   target {finding.target}: {verdict}" if finding.target else ""
    lines = [f"{finding.name:<28} {finding.figure}{target}", f"    {finding.what}"]
    if finding.ours is not None and finding.bare is not None:
        lines.append(f"    ours {finding.ours}   bare {finding.bare}")
    return "\n".join(lines)


def as_json(machine: Mapping[str, Any], findings: Iterable[Finding]) -> str:
    """Return findings and their machine as JSON."""
    found = [{**asdict(finding), "holds": finding.holds} for finding in findings]
    return json.dumps({"machine": machine, "findings": found}, indent=2) + "\n"


def read(path: Path) -> list[Finding]:
    """Read the findings of an earlier run. Raises `ValueError` if the file has none."""
    try:
        return [_finding(fields) for fields in json.loads(path.read_text())["findings"]]
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path} holds no findings of a benchmark") from error


def _finding(fields: dict[str, Any]) -> Finding:
    fields.pop("holds")
    target = fields.pop("target")
    spreads = {
        name: Spread(**fields.pop(name)) if fields.get(name) else None for name in ("ours", "bare")
    }
    figure = Spread(**fields.pop("figure"))
    fields = {name: fields[name] for name in ("name", "what")}
    return Finding(figure=figure, target=Target(**target) if target else None, **spreads, **fields)


def changes(old: Sequence[Finding], new: Sequence[Finding]) -> str:
    """Return a line for each finding in both runs with its change.

    A change is marked with * if the two ranges between the quartiles do not overlap. Other changes
    may be chance.
    """
    before = {finding.name: finding.figure for finding in old}
    lines: list[str] = []
    for finding in new:
        then, now = before.pop(finding.name, None), finding.figure
        if then is None:
            lines.append(f"  {finding.name:<28} new: {now}")
            continue
        change = f"{(now.median / then.median - 1) * 100:+.1f} %" if then.median else ""
        apart = now.lower > then.upper or now.upper < then.lower
        mark = "*" if apart else " "
        lines.append(f"{mark} {finding.name:<28} {then}  ->  {now}  {change}")
    return "\n".join(lines)
