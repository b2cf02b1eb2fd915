"""Sweeps: many parameter sets over one set of bars, in bounded memory, every row reproducible by a single run."""
