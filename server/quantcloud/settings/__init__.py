"""All settings of the server: what each means, where its value comes from, what contradicts."""

from quantcloud.environment import PREFIX
from quantcloud.settings.fields import DEFAULT_TIERS, Settings, forget_environment

__all__ = ["DEFAULT_TIERS", "PREFIX", "Settings", "forget_environment"]
