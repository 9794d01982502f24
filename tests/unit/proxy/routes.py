"""The contract's routes over REST."""

from unit.proxy.upstream import OVER_REST

CREATED = {
    "CreateApiKey": 201, "CreateCircuit": 201, "CreateWatchTicket": 201, "RunCircuit": 202,
    "RunCircuits": 202,
}  # fmt: skip


ORIGIN = "https://studio.example"


def rule(method):
    options = method.GetOptions().ListFields()
    http = next(value for option, value in options if option.name == "http")
    verb = http.WhichOneof("pattern")
    return verb.upper(), getattr(http, verb)


ROUTES = [(*rule(method), method.name) for method in OVER_REST]
