"""Authentication and limits: JSON Web Tokens, API keys, principals and rate limits."""
