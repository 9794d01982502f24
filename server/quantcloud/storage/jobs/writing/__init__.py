"""How jobs change."""
