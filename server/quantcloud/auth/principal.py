"""The principal: the authenticated caller."""

from dataclasses import field
from datetime import datetime
from enum import StrEnum

from quantcloud.domain.account import Account
from quantcloud.domain.value_object import value_object


class Credential(StrEnum):
    """The kind of the caller's credential."""

    JWT = "jwt"
    API_KEY = "api_key"
    TICKET = "ticket"


@value_object
class Principal:
    """An authenticated caller.

    `api_key_id` is set if the credential is an API key, `expires_at` if it is a JWT. A watch ticket
    opens `ticket_path`, and has the other values of the credential that created it.
    """

    account: Account
    credential: Credential
    api_key_id: str | None = None
    expires_at: datetime | None = None
    ticket_path: str | None = None
    account_id: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "account_id", self.account.id)
