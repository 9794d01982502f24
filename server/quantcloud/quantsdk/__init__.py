"""Read programs of the public SDK with an interpreter of a small subset of Python, and run none.

Pure: what a program can reach is what `natives` and `sdk` list, and it can reach nothing else.
"""

from quantcloud.quantsdk.program import Program, RunSettings, read

__all__ = ["Program", "RunSettings", "read"]
