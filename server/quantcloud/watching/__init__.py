"""The event feed, which publishes events to open watches.

A watch (`job_watch`, `account_watch`) takes events from its `subscription` and from `recent` ones,
and reads from the log what is missing there. `queues` follows the positions of queued jobs.
"""
