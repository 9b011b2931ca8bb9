"""Readers of k-space: one file per format behind :func:`isocenter.data.io.read_kspace`."""
