"""gRPC: servicers, interceptors, conversion and the error table. Envoy in front of it."""
