"""PennyLane on a TheQuantCloud server: a device. Needs the extra `pennylane`."""

from quantcloud.pennylane.device import QuantCloudDevice

__all__ = ["QuantCloudDevice"]
