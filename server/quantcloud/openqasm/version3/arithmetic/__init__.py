"""The values of OpenQASM 3, and what operators, functions and indices make of them."""
