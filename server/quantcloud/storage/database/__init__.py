"""SQLite and PostgreSQL behind one interface, their tables and migrations."""
