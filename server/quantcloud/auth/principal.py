"""Who is calling."""

from datetime import datetime
from enum import StrEnum

from quantcloud.domain.account import Account
from quantcloud.domain.value_object import value_object


class Credential(StrEnum):
    """What the caller showed."""

    JWT = "jwt"
    API_KEY = "api_key"


@value_object
class Principal:
    """An authenticated caller.

    `api_key_id` is set where the credential is a key, `expires_at` where it is a JWT.
    """

    account: Account
    credential: Credential
    api_key_id: str | None = None
    expires_at: datetime | None = None

    @property
    def account_id(self) -> str:
        return self.account.id
