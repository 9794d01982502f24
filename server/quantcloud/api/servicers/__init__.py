"""One servicer a service; each method converts, calls the use case, and converts back."""
