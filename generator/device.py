"""The form of the networks that the device at hand computes best."""

from __future__ import annotations

from generator.checkpoint import Networks

__all__ = ["for_device"]


def for_device(networks: Networks) -> Networks:
    """Return the networks as they are for a GPU, and with loops for their large parts for a processor."""
    import mlx.core as mx

    if mx.default_device().type == mx.DeviceType.gpu:
        return networks
    from generator.processor import on_processor

    return on_processor(networks)
