"""Reuse or make: the decision, its evidence and its calibration."""
