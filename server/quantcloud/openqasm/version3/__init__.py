"""OpenQASM 3: its syntax, the expansion of constants, and control flow during a run."""
