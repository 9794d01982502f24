"""A quantum cloud that anyone can host: OpenQASM circuits over gRPC and REST."""
