"""Saving circuits without running them."""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime

from quantcloud.auth.principal import Principal
from quantcloud.domain.circuit import SavedCircuit
from quantcloud.domain.cursors import Listing
from quantcloud.domain.errors import InvalidArgument, Unavailable
from quantcloud.domain.page import Page
from quantcloud.engine.base import WorkerEngine
from quantcloud.services.paging import Listings
from quantcloud.storage import CircuitPatch, Store

# A page of a hundred circuits must fit into one response. Larger circuits can be run, not saved.
MAXIMUM_SAVED_BYTES = 512 * 1024


class SavedCircuitUseCases:
    """What users do with the circuits that they save."""

    def __init__(self, store: Store, engine: WorkerEngine, clock: Callable[[], datetime]) -> None:
        self._circuits = store.circuits
        self._listings = Listings(store.cursors, Listing.CIRCUITS)
        self._engine = engine
        self._clock = clock

    async def create(
        self,
        principal: Principal,
        *,
        name: str,
        code: str | None,
        qasm: str | None,
        num_qubits: int | None,
        metadata: Mapping[str, object],
    ) -> SavedCircuit:
        """Save a circuit and return it. Raises `InvalidArgument`."""
        _check(code, qasm)
        now = self._clock()
        circuit = SavedCircuit(
            id=str(uuid.uuid4()),
            account_id=principal.account_id,
            name=name,
            created_at=now,
            updated_at=now,
            code=code,
            qasm=qasm,
            num_qubits=await self._width(principal, num_qubits, qasm),
            metadata=metadata,
        )
        await self._circuits.create(circuit)
        return circuit

    async def list(
        self,
        principal: Principal,
        *,
        limit: int | None,
        offset: int | None,
        page_token: str | None,
    ) -> tuple[Page[SavedCircuit], str | None]:
        """Return a page of saved circuits, newest first, and the token of the next page."""
        part = self._listings.window(limit, offset, page_token)
        page = await self._circuits.list(principal.account_id, **part._asdict())
        return page, self._listings.next_page_token(page)

    async def get(self, principal: Principal, circuit_id: str) -> SavedCircuit:
        return await self._circuits.get(principal.account_id, circuit_id)

    async def update(
        self, principal: Principal, circuit_id: str, patch: CircuitPatch
    ) -> SavedCircuit:
        """Change the fields that `patch` sets. Raises `InvalidArgument` or `NotFound`."""
        present = await self._circuits.get(principal.account_id, circuit_id)
        code = present.code if patch.code is None else patch.code
        qasm = present.qasm if patch.qasm is None else patch.qasm
        _check(code, qasm)
        width = await self._width(principal, patch.num_qubits, patch.qasm)
        return await self._circuits.update(
            principal.account_id, circuit_id, replace(patch, num_qubits=width), at=self._clock()
        )

    async def delete(self, principal: Principal, circuit_id: str) -> None:
        await self._circuits.delete(principal.account_id, circuit_id)

    async def _width(self, principal: Principal, given: int | None, qasm: str | None) -> int | None:
        """Return the given width, or else that of the OpenQASM if it can be parsed."""
        if given is not None:
            return given
        if not qasm:
            return None
        try:
            examined = await self._engine.examine(qasm, principal.account_id)
        except (InvalidArgument, Unavailable):
            return None  # saved circuits may be unfinished
        return examined.analysis.num_qubits


def _check(code: str | None, qasm: str | None) -> None:
    if not code and not qasm:
        raise InvalidArgument("qasm", "is missing; send 'qasm', 'code' or both")
    size = sum(len(text.encode("utf-8", "surrogatepass")) for text in (code, qasm) if text)
    if size > MAXIMUM_SAVED_BYTES:
        field = "qasm" if qasm else "code"
        raise InvalidArgument(
            field,
            f"makes the circuit {size} bytes long; at most {MAXIMUM_SAVED_BYTES} can be saved",
        )
