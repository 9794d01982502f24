"""The use cases, free of gRPC and SQL."""
