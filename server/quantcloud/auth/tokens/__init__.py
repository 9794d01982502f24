"""Tokens that this server or its issuer signs: JSON Web Tokens, tickets and sign-in codes."""
