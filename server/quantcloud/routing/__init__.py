"""QuantRouter: candidates, scores and reasons. Pure: it does no I/O."""
