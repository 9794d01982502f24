"""The public SDK's module as a program sees it: `Circuit` with all of its methods, and `run`."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from quantcloud.circuits.limits import MAX_QUBITS
from quantcloud.domain.errors import CircuitError
from quantcloud.openqasm import parse, work_bound
from quantcloud.quantsdk import gates
from quantcloud.quantsdk.gates import BARRIER, MEASURE, qubits_of, whole
from quantcloud.quantsdk.operations import DRAWING
from quantcloud.quantsdk.values import (
    MAX_STEPS,
    REQUIRED,
    Budget,
    Circuit,
    Gate,
    Module,
    Native,
    Refusal,
    given,
    kind_of,
)

# The version of the SDK that has these semantics.
_VERSION: Final = "0.2.0"

_NOT_GATES: Final = (MEASURE, BARRIER)
# More OpenQASM gate names that the SDK reads.
_SYNONYMS: Final = {"u": "u3", "U": "u3", "CX": "cx"}

# The SDK's short names of backends.
_BACKENDS: Final = {
    "local": "local_simulator",
    "simulator": "local_simulator",
    "aer": "aer_simulator",
    "qasm_simulator": "aer_simulator",
}
_MAX_NAME: Final = 200
_MAX_SHOTS: Final = (1 << 31) - 1
_MAX_SEED: Final = (1 << 53) - 1


class RunSettings(NamedTuple):
    """The arguments of `run(...)`. None if the program leaves one out."""

    shots: int | None = None
    backend: str | None = None
    optimize_for: str | None = None
    max_cost_usd: float | None = None
    min_fidelity: float | None = None
    seed: int | None = None


class FirstRun(Exception):
    """The program runs `circuit`. Reading stops here."""

    def __init__(self, circuit: Circuit, settings: RunSettings) -> None:
        super().__init__()
        self.circuit = circuit
        self.settings = settings


class Session(Budget):
    """A program's budget, and the circuit that it made last."""

    def __init__(self) -> None:
        super().__init__()
        self.last: Circuit | None = None

    def new_circuit(self, num_qubits: int, name: object) -> Circuit:
        self.last = Circuit(num_qubits, name)
        return self.last


def _measure(_: Budget, circuit: Circuit, qubit: Any, classical_bit: Any) -> Circuit:
    """Add a measurement. As in the SDK, its bit is its number among the measurements."""
    if classical_bit is not None:
        whole("classical_bit", classical_bit, 0, _MAX_SHOTS)
    circuit.gates.append(Gate("measure", MEASURE, qubits_of(circuit, ("qubit",), (qubit,))))
    return circuit


def _measure_all(budget: Budget, circuit: Circuit) -> Circuit:
    budget.spend(circuit.num_qubits)
    circuit.gates += [Gate("measure", MEASURE, (qubit,)) for qubit in range(circuit.num_qubits)]
    return circuit


def _barrier(budget: Budget, circuit: Circuit, qubits: Any) -> Circuit:
    chosen = budget.listed(range(circuit.num_qubits) if qubits is None else qubits)
    if not chosen:
        raise Refusal("qubits must name one qubit or more")
    at = qubits_of(circuit, ("a qubit",) * len(chosen), chosen)
    circuit.gates.append(Gate("barrier", BARRIER, at))
    return circuit


def _copy(session: Session, circuit: Circuit) -> Circuit:
    made = session.new_circuit(circuit.num_qubits, circuit.name)
    session.spend(len(circuit.gates))
    made.gates = list(circuit.gates)
    return made


def to_openqasm(budget: Budget, circuit: Circuit) -> str:
    """Return a circuit as OpenQASM, as the SDK's method of this name does."""
    budget.spend(len(circuit.gates))
    measurements = sum(gate.name == MEASURE for gate in circuit.gates)
    lines = ["OPENQASM 2.0;", 'include "qelib1.inc";', "", f"qreg q[{circuit.num_qubits}];"]
    lines += [f"creg c[{measurements}];", ""] if measurements else [""]
    written = 0
    for gate in circuit.gates:
        params = f"({','.join(map(str, gate.params))})" if gate.params else ""
        line = f"{gate.qasm}{params} {','.join([f'q[{qubit}]' for qubit in gate.qubits])}"
        if gate.name == MEASURE:
            line += f" -> c[{written}]"
            written += 1
        lines.append(line + ";")
    return "\n".join([*lines, ""])


def _from_openqasm(session: Session, text: Any) -> Circuit:
    if type(text) is not str:
        raise Refusal(f"from_openqasm() takes a string, not {kind_of(text)}")
    session.spend(min(work_bound(text), MAX_STEPS + 1))
    try:
        parsed = parse(text)
    except CircuitError as error:
        raise Refusal(f"the OpenQASM: {error.description}") from None
    if not parsed.num_qubits:
        raise Refusal("the OpenQASM declares no qubits")
    made = session.new_circuit(parsed.num_qubits, "circuit")
    for name, qubits, params, _, condition in parsed.operations:
        qasm = _SYNONYMS.get(name, name)
        if qasm not in gates.NAMES or condition is not None:
            raise Refusal(f"the OpenQASM: the SDK does not read conditions or the gate {name!r}")
        made.gates.append(Gate(qasm, gates.NAMES[qasm], qubits, params))
    return made


def _foreign(name: str) -> Native:
    def refuse(_: Budget, *__: Any) -> None:
        raise Refusal(f"{name}() needs another library, and none can be used here")

    return Native(name, refuse)


def _names(budget: Budget, circuit: Circuit) -> list[str]:
    budget.spend(len(circuit.gates))
    return [gate.name for gate in circuit.gates]


def _depth(budget: Budget, circuit: Circuit) -> int:
    budget.spend(circuit.num_qubits)
    levels = [0] * circuit.num_qubits
    for gate in circuit.gates:
        budget.spend(len(gate.qubits))
        if gate.name not in _NOT_GATES:
            level = max([levels[qubit] for qubit in gate.qubits]) + 1
            for qubit in gate.qubits:
                levels[qubit] = level
    return max(levels)


METHODS: Final[Mapping[str, Native]] = {
    **gates.METHODS,
    "measure": Native("measure", _measure, {"qubit": REQUIRED, "classical_bit": None}),
    "measure_all": Native("measure_all", _measure_all, {}),
    "barrier": Native("barrier", _barrier, {"qubits": None}),
    "copy": Native("copy", _copy, {}),
    "count_ops": Native("count_ops", lambda *given: dict(Counter(_names(*given))), {}),
    "draw": Native("draw", lambda *_: DRAWING, {}),
    "to_openqasm": Native("to_openqasm", to_openqasm, {}),
    **{name: _foreign(name) for name in ("to_qiskit", "to_cirq", "to_pennylane")},
}
# Class methods. Objects have them too.
_CLASS_METHODS: Final[Mapping[str, Native]] = {
    "from_openqasm": Native("from_openqasm", _from_openqasm, {"qasm_str": REQUIRED}),
    **{name: _foreign(name) for name in ("from_qiskit", "from_cirq", "from_pennylane")},
}

PROPERTIES: Final[Mapping[type, Mapping[str, Callable[[Budget, Any], Any]]]] = {
    Circuit: {
        "num_qubits": lambda _, circuit: circuit.num_qubits,
        "name": lambda _, circuit: circuit.name,
        "gates": lambda budget, circuit: budget.sized(list(circuit.gates)),
        "depth": _depth,
        "gate_count": lambda budget, circuit: sum(
            name not in _NOT_GATES for name in _names(budget, circuit)
        ),
        "num_measurements": lambda budget, circuit: _names(budget, circuit).count(MEASURE),
        **{name: lambda _, __, method=method: method for name, method in _CLASS_METHODS.items()},
    },
    Gate: {
        "name": lambda _, gate: gate.name,
        "qubits": lambda _, gate: gate.qubits,
        "params": lambda _, gate: gate.params,
        "num_qubits": lambda _, gate: len(gate.qubits),
    },
}


def _circuit(session: Session, num_qubits: Any, name: Any) -> Circuit:
    return session.new_circuit(whole("num_qubits", num_qubits, 1, MAX_QUBITS), name)


def _run(_: Budget, circuit: Any, *values: Any) -> None:
    if type(circuit) is not Circuit:
        raise Refusal(f"run() takes a circuit, not {kind_of(circuit)}")
    settings = RunSettings(*values)
    for name, value, kind, words in (
        ("shots", settings.shots, (int,), "a whole number"),
        ("backend", settings.backend, (str,), "a string"),
        ("optimize_for", settings.optimize_for, (str,), "a string"),
        ("max_cost_usd", settings.max_cost_usd, (int, float), "a number"),
        ("min_fidelity", settings.min_fidelity, (int, float), "a number"),
        ("seed", settings.seed, (int,), "a whole number"),
    ):
        if value is not None and type(value) not in kind:
            raise Refusal(f"{name} of run() must be {words}, is {given(value)}")
        if type(value) is str and len(value) > _MAX_NAME:
            raise Refusal(f"{name} of run() may have {_MAX_NAME} characters, has {len(value)}")
    if settings.shots is not None:
        whole("shots", settings.shots, 1, _MAX_SHOTS)
    if settings.seed is not None:
        whole("seed", settings.seed, 0, _MAX_SEED)
    backend = settings.backend or None
    named = _BACKENDS.get(backend, backend) if backend else None
    raise FirstRun(circuit, settings._replace(backend=named))


QUANTSDK: Final = Module(
    "quantsdk",
    {
        "Circuit": Native(
            "Circuit",
            _circuit,
            {"num_qubits": REQUIRED, "name": "circuit"},
            members=_CLASS_METHODS,
        ),
        "run": Native("run", _run, {"circuit": REQUIRED, **dict.fromkeys(RunSettings._fields)}),
        "__version__": _VERSION,
    },
)
