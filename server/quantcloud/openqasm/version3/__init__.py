"""OpenQASM 3: syntax, expansion of what is constant, and control flow for the rest."""
