"""Who is calling: JSON Web Tokens, API keys, and the principal that they name."""
