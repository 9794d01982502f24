"""QuantRouter: candidates, scores and reasons. Pure."""
