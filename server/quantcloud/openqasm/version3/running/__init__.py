"""Runs the syntax tree of OpenQASM 3, which makes the circuit."""
