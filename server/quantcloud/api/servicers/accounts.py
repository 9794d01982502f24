"""ApiKeyService and AccountService: the caller's own account."""

from quantcloud.api.context import Context, principal
from quantcloud.api.convert import accounts as convert
from quantcloud.api.convert.values import message_of
from quantcloud.api.session import session
from quantcloud.services.accounts import AccountUseCases
from thequantcloud.v1 import account_pb2, account_pb2_grpc, api_key_pb2, api_key_pb2_grpc


class ApiKeyServicer(api_key_pb2_grpc.ApiKeyServiceServicer):
    """The API keys with which programs act for the account."""

    def __init__(self, accounts: AccountUseCases) -> None:
        self._accounts = accounts

    async def CreateApiKey(
        self, request: api_key_pb2.CreateApiKeyRequest, context: Context
    ) -> api_key_pb2.CreateApiKeyResponse:
        key, text = await self._accounts.create_key(principal(), request.name)
        session().audit("key_created", key_id=key.id)
        return message_of(api_key_pb2.CreateApiKeyResponse, key, key_prefix=key.prefix, key=text)

    async def ListApiKeys(
        self, request: api_key_pb2.ListApiKeysRequest, context: Context
    ) -> api_key_pb2.ListApiKeysResponse:
        keys = await self._accounts.list_keys(principal())
        return api_key_pb2.ListApiKeysResponse(
            api_keys=[message_of(api_key_pb2.ApiKey, key, key_prefix=key.prefix) for key in keys]
        )

    async def RevokeApiKey(
        self, request: api_key_pb2.RevokeApiKeyRequest, context: Context
    ) -> api_key_pb2.RevokeApiKeyResponse:
        await self._accounts.revoke_key(principal(), request.id)
        session().audit("key_revoked", key_id=request.id)
        return api_key_pb2.RevokeApiKeyResponse(detail="API key revoked")


class AccountServicer(account_pb2_grpc.AccountServiceServicer):
    """The caller's profile and usage, and sign-in links."""

    def __init__(self, accounts: AccountUseCases) -> None:
        self._accounts = accounts

    async def SignIn(
        self, request: account_pb2.SignInRequest, context: Context
    ) -> account_pb2.SignInResponse:
        token = await self._accounts.sign_in(request.code)
        return message_of(account_pb2.SignInResponse, token, token=token.text)

    async def GetUsage(
        self, request: account_pb2.GetUsageRequest, context: Context
    ) -> account_pb2.GetUsageResponse:
        return convert.usage(await self._accounts.usage(principal()))

    async def GetProfile(
        self, request: account_pb2.GetProfileRequest, context: Context
    ) -> account_pb2.Profile:
        return message_of(account_pb2.Profile, principal().account)
