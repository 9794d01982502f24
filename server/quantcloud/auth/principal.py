"""The principal: the authenticated caller."""

from datetime import datetime
from enum import StrEnum

from quantcloud.domain.account import Account
from quantcloud.domain.value_object import value_object


class Credential(StrEnum):
    """The kind of the caller's credential."""

    JWT = "jwt"
    API_KEY = "api_key"


@value_object
class Principal:
    """An authenticated caller.

    `api_key_id` is set if the credential is an API key, `expires_at` if it is a JWT.
    """

    account: Account
    credential: Credential
    api_key_id: str | None = None
    expires_at: datetime | None = None

    @property
    def account_id(self) -> str:
        return self.account.id
