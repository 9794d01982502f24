"""All settings of the server: what each means, where its value comes from, what contradicts."""

from quantcloud.environment import PREFIX
from quantcloud.settings.fields import Settings, forget_environment
from quantcloud.settings.tiers import DEFAULT_TIERS

__all__ = ["DEFAULT_TIERS", "PREFIX", "Settings", "forget_environment"]
