"""The event feed, which publishes events to open watches."""
