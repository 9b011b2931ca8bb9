"""Compiled recurrence of the selective scan, for training on a CPU.

``m`` runs over batch and group, ``t`` over the sequence, ``n`` over states and ``e`` over
channels, which lie next to each other in memory so that the inner loops become vector code.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import numpy.typing as npt

__all__ = ["backward", "forward"]

Array = npt.NDArray[Any]


@numba.njit(cache=True, nogil=True, fastmath=True)
def forward(decay: Array, du: Array, b: Array, c: Array, y: Array, start: int, stop: int) -> None:
    """y_t = sum_n C_t h_t with h_t = decay_t h_{t-1} + B_t du_t, for m in start..stop."""
    _, length, n_states, n_channels = decay.shape
    state = np.empty((n_states, n_channels), np.float32)
    for m in range(start, stop):
        state[:] = 0
        for t in range(length):
            y[m, t] = 0
            for n in range(n_states):
                into, out = b[m, t, n], c[m, t, n]
                for e in range(n_channels):
                    h = decay[m, t, n, e] * state[n, e] + into * du[m, t, e]
                    state[n, e] = h
                    y[m, t, e] += out * h


@numba.njit(cache=True, nogil=True, fastmath=True)
def backward(
    decay: Array,
    du: Array,
    b: Array,
    c: Array,
    delta: Array,
    a: Array,
    grad_y: Array,
    grad_du: Array,
    grad_delta: Array,
    grad_a: Array,
    grad_b: Array,
    grad_c: Array,
    start: int,
    stop: int,
) -> None:
    """Gradients of :func:`forward`; the states are rebuilt first, then walked backwards.

    ``a`` is (group, n, e) and ``m`` modulo the number of groups picks its row;
    ``grad_a`` is (m, n, e), to be summed over the batch by the caller.
    """
    _, length, n_states, n_channels = decay.shape
    states = np.empty((length + 1, n_states, n_channels), np.float32)
    adjoint = np.empty((n_states, n_channels), np.float32)
    for m in range(start, stop):
        states[0] = 0
        for t in range(length):
            for n in range(n_states):
                into = b[m, t, n]
                for e in range(n_channels):
                    states[t + 1, n, e] = decay[m, t, n, e] * states[t, n, e] + into * du[m, t, e]
        adjoint[:] = 0
        grad_a[m] = 0
        for t in range(length - 1, -1, -1):
            grad_du[m, t] = 0
            grad_delta[m, t] = 0
            for n in range(n_states):
                into, out = b[m, t, n], c[m, t, n]
                sum_b, sum_c = np.float32(0), np.float32(0)
                for e in range(n_channels):
                    g = adjoint[n, e] + out * grad_y[m, t, e]
                    sum_c += states[t + 1, n, e] * grad_y[m, t, e]
                    sum_b += g * du[m, t, e]
                    grad_du[m, t, e] += g * into
                    g *= decay[m, t, n, e]
                    adjoint[n, e] = g
                    through = g * states[t, n, e]
                    grad_delta[m, t, e] += through * a[m % a.shape[0], n, e]
                    grad_a[m, n, e] += through * delta[m, t, e]
                grad_b[m, t, n] = sum_b
                grad_c[m, t, n] = sum_c
