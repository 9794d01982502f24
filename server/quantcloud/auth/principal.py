"""Who is calling."""

from dataclasses import dataclass
from enum import StrEnum

from quantcloud.domain.account import Account


class Credential(StrEnum):
    """What the caller showed."""

    JWT = "jwt"
    API_KEY = "api_key"


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated caller; `api_key_id` where the credential is a key."""

    account: Account
    credential: Credential
    api_key_id: str | None = None

    @property
    def account_id(self) -> str:
        return self.account.id
