"""Jobs, their events and their circuits as rows, and back."""
