"""A quantum cloud that anyone can host: OpenQASM circuits over gRPC and REST."""

DISTRIBUTION = "thequantcloud"
"""The name of the package to install."""
