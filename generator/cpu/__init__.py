"""The networks on a processor, in loops that numba compiles."""
