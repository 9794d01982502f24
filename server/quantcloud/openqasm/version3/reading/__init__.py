"""Reads a source of OpenQASM 3 into its syntax tree."""
