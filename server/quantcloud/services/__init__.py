"""The use cases. They contain no gRPC and no SQL."""
