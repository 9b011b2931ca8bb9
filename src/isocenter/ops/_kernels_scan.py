"""Compiled recurrence of the selective scan on a CPU.

``m`` runs over batch and group, ``t`` over the sequence, ``n`` over states and ``e`` over
channels, which lie next to each other in memory so that the inner loops become vector code.
Decays exp(delta a) are never stored: they would take sixteen times the memory of the input, and
reading them back would cost more than making them again.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import numpy.typing as npt

__all__ = ["backward", "forward"]

Array = npt.NDArray[Any]

LOG2_E = np.float32(1.4426950408889634)
LN_2_COARSE, LN_2_FINE = np.float32(0.693359375), np.float32(-2.12194440e-4)
"""ln 2 in two parts, the first exact in few bits."""
SMALLEST = np.float32(-87.0)
"""exp of less is no normal number."""
ONE, HALF = np.float32(1), np.float32(0.5)
TAYLOR = tuple(np.float32(1 / factorial) for factorial in (5040, 720, 120, 24, 6, 2))
BIAS, PLACES = np.int32(127), np.int32(23)
"""Of the exponent of a float32, and where it stands."""


@numba.njit(cache=True, nogil=True, fastmath=True, inline="always")
def exp(x: Any) -> Any:
    """exp of x <= 0 to the last bit or two, as code that becomes vector code.

    x = k ln 2 + r with whole k: a polynomial for r, and k put into the exponent's bits.
    """
    x = max(x, SMALLEST)
    k = np.floor(x * LOG2_E + HALF)
    r = x - k * LN_2_COARSE - k * LN_2_FINE
    series = TAYLOR[0]
    for i in range(1, 6):
        series = series * r + TAYLOR[i]
    series = series * r * r + r + ONE
    power = (np.int32(k) + BIAS) << PLACES
    return series * np.int32(power).view(np.float32)


@numba.njit(cache=True, nogil=True, fastmath=True)
def forward(
    delta: Array, a: Array, du: Array, b: Array, c: Array, y: Array, start: int, stop: int
) -> None:
    """y_t = sum_n C_t h_t with h_t = exp(delta_t a) h_{t-1} + B_t du_t, for m in start..stop.

    ``a`` is (group, n, e) and ``m`` modulo the number of groups picks its row.
    """
    _, length, n_channels = delta.shape
    n_groups, n_states, _ = a.shape
    state = np.empty((n_states, n_channels), np.float32)
    for m in range(start, stop):
        state[:] = 0
        g = m % n_groups
        for t in range(length):
            y[m, t] = 0
            for n in range(n_states):
                into, out = b[m, t, n], c[m, t, n]
                for e in range(n_channels):
                    h = exp(delta[m, t, e] * a[g, n, e]) * state[n, e] + into * du[m, t, e]
                    state[n, e] = h
                    y[m, t, e] += out * h


@numba.njit(cache=True, nogil=True, fastmath=True)
def backward(
    delta: Array,
    a: Array,
    du: Array,
    b: Array,
    c: Array,
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

    ``grad_a`` is (m, n, e), to be summed over the batch by the caller.
    """
    _, length, n_channels = delta.shape
    n_groups, n_states, _ = a.shape
    states = np.empty((length + 1, n_states, n_channels), np.float32)
    adjoint = np.empty((n_states, n_channels), np.float32)
    for m in range(start, stop):
        states[0] = 0
        which = m % n_groups
        for t in range(length):
            for n in range(n_states):
                into = b[m, t, n]
                for e in range(n_channels):
                    decay = exp(delta[m, t, e] * a[which, n, e])
                    states[t + 1, n, e] = decay * states[t, n, e] + into * du[m, t, e]
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
                    g *= exp(delta[m, t, e] * a[which, n, e])
                    adjoint[n, e] = g
                    through = g * states[t, n, e]
                    grad_delta[m, t, e] += through * a[which, n, e]
                    grad_a[m, n, e] += through * delta[m, t, e]
                grad_b[m, t, n] = sum_b
                grad_c[m, t, n] = sum_c
