"""Programs of the public SDK in: read by an interpreter of a small part of Python, never run.

Pure: what a program can reach is what `natives` and `sdk` list, and it can reach nothing else.
"""

from quantcloud.quantsdk.program import Program, RunSettings, read

__all__ = ["Program", "RunSettings", "read"]
