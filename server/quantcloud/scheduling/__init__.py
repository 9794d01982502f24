"""A job's way from queued to its end.

`scheduler` puts the parts together: `claim_loop` decides when to claim, `ledger` what fits, and
`runner` takes each claimed job to its end. `early_worker_runs` starts short runs before their jobs
are stored. `lease_keeper` and `housekeeping` work beside them.
"""
