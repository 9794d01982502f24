"""The contract over gRPC: servicers, and what stands around every call."""
