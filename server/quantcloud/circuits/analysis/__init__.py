"""Analyses circuits: `figures` brings the parts together."""

from quantcloud.circuits.analysis.figures import Analysis, analyse

__all__ = ["Analysis", "analyse"]
