"""One servicer per service. Each method converts, calls the use case, and converts back."""
