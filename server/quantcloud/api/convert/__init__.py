"""Between the contract's messages and the domain's objects; one module a service."""
