"""The event feed that watchers hang on."""
