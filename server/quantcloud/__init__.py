"""A quantum cloud that anyone can host: OpenQASM circuits over gRPC and REST."""

DISTRIBUTION = "thequantcloud"
"""The name under which this package is installed."""
