"""A circuit that a user saved."""

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime

from quantcloud.domain.value_object import value_object


@value_object
class SavedCircuit:
    """A saved circuit. `code` is source text in the user's language; the server never runs it."""

    id: str
    account_id: str
    name: str
    created_at: datetime
    updated_at: datetime
    code: str | None = None
    qasm: str | None = None
    num_qubits: int | None = None
    metadata: Mapping[str, object] = field(default_factory=dict[str, object])
