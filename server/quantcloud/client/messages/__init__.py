"""Requests and answers as values of Python."""
