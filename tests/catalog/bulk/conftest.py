"""A small Ray of this machine, started for each file of tests that uses it and ended with them."""

from __future__ import annotations

import importlib.util
import os
import sys
import warnings

import pytest


@pytest.fixture(scope="module")
def on_ray():
    """Return a Ray of two processors, whose workers import what this process does."""
    if importlib.util.find_spec("ray") is None:
        pytest.skip("Ray is not installed; pip install 'music-catalog[ray]'")
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import ray

        ray.init(
            "local",
            num_cpus=2,
            include_dashboard=False,
            object_store_memory=100 * 1024**2,
            log_to_driver=False,
            logging_level="ERROR",
            runtime_env={"env_vars": {"PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}},
        )
    yield ray
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ray.shutdown()
