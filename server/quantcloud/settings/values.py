"""The values that several settings may have."""

import ipaddress
from typing import Annotated

from pydantic import AfterValidator, Field

from quantcloud.settings.units import Seconds


def _ip_address(given: str) -> str:
    try:
        ipaddress.ip_address(given)
    except ValueError as error:
        raise ValueError(f"{given!r} is no IP address, such as 127.0.0.1 or 0.0.0.0") from error
    return given


Host = Annotated[str, AfterValidator(_ip_address)]
Port = Annotated[int, Field(ge=0, le=65535)]
Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]
Period = Annotated[Seconds, Field(gt=0)]
