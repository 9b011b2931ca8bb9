r"""Selective scan: the linear recurrence of a state-space layer, without CUDA kernels.

For every channel e and state n (Gu and Dao, Mamba, arXiv:2312.00752, algorithm 2)

.. math:: h_t = e^{\Delta_t A} h_{t-1} + \Delta_t B_t u_t, \qquad y_t = \sum_n C_t h_t + D u_t

A loop over t is exact and slow.  Here the sequence is cut into K chunks of T steps, T about
the square root of the length: one pass advances all chunks together from zero, a short pass
hands the states from chunk to chunk, and a second pass starts each chunk from its true state.
T + K sequential steps instead of T x K, no division and no product of decays, so nothing can
overflow.  The backward pass recomputes the states instead of keeping them.

Training in float32 on a CPU takes a compiled loop instead (``_kernels_scan.py``), which is
several times faster.  So does inference when there is much to do; for a little, nobody should
wait for a compiler.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from isocenter.ops._threads import in_threads

__all__ = ["selective_scan"]

MUCH = 2**22
"""Updates of single states from which a compiled loop is worth its compilation, which takes
seconds once and is then kept on disk."""

Sequence = Float[Tensor, "batch group channel length"]
StateSequence = Float[Tensor, "batch group state length"]
Decay = Float[Tensor, "group channel state"]
Skip = Float[Tensor, "group channel"]


def selective_scan(
    u: Sequence, delta: Sequence, a: Decay, b: StateSequence, c: StateSequence, d: Skip
) -> Sequence:
    """Run the recurrence along the last axis.

    Args:
        u: Input.
        delta: Step sizes, positive (behind the softplus).
        a: Decay rates, negative.
        b: Input weights, shared by the channels of a group.
        c: Output weights, shared by the channels of a group.
        d: Direct path from input to output.

    Returns:
        Output with the shape and dtype of ``u``; differentiable in all six arguments.
    """
    learns = torch.is_grad_enabled() and any(x.requires_grad for x in (u, delta, a, b, c, d))
    worth_it = learns or u.numel() * a.shape[-1] >= MUCH
    compiled = worth_it and u.device.type == "cpu" and u.dtype == torch.float32
    scan = _CompiledScan if compiled else _SelectiveScan
    output: Tensor = scan.apply(u, delta, a, b, c, d)  # type: ignore[no-untyped-call]
    return output


class _SelectiveScan(torch.autograd.Function):
    """Forward keeps the inputs and one state per chunk; backward rebuilds the rest."""

    @staticmethod
    def forward(ctx, u, delta, a, b, c, d):  # type: ignore[no-untyped-def]
        chunked = _Chunks(u, delta, a, b, c)
        starts = _carry(chunked, *_local_pass(chunked))
        ctx.save_for_backward(u, delta, a, b, c, d, starts)
        y, product = torch.empty_like(chunked.du), torch.empty_like(starts)
        for t, state in _states(chunked, starts):
            torch.sum(torch.mul(chunked.c[t], state, out=product), 0, out=y[t])
        return chunked.join(y) + d[None, :, :, None] * u

    @staticmethod
    def backward(ctx, grad_y):  # type: ignore[no-untyped-def]
        u, delta, a, b, c, d, starts = ctx.saved_tensors
        chunked = _Chunks(u, delta, a, b, c)
        grads = _reverse(chunked, starts, chunked.split_sequence(grad_y))
        grad_du, grad_exponent_delta, grad_a, grad_b, grad_c = grads
        grad_du, grad_delta = chunked.join(grad_du), chunked.join(grad_exponent_delta)
        return (
            grad_du * delta + grad_y * d[None, :, :, None],
            grad_du * u + grad_delta,
            grad_a,
            grad_b,
            grad_c,
            (grad_y * u).sum((0, 3)),
        )


class _CompiledScan(torch.autograd.Function):
    """The same in compiled loops, one thread for a share of batch and group."""

    @staticmethod
    def forward(ctx, u, delta, a, b, c, d):  # type: ignore[no-untyped-def]
        from isocenter.ops import _kernels_scan

        ctx.save_for_backward(u, delta, a, b, c, d)
        given = _flat(u, delta, a, b, c)
        y = torch.empty_like(given[0])
        arrays = [x.numpy() for x in (*given, y)]
        in_threads(lambda start, stop: _kernels_scan.forward(*arrays, start, stop), len(y))
        return _unflat(y, u.shape) + d[None, :, :, None] * u

    @staticmethod
    def backward(ctx, grad_y):  # type: ignore[no-untyped-def]
        from isocenter.ops import _kernels_scan

        u, delta, a, b, c, d = ctx.saved_tensors
        flat = _flat(u, delta, a, b, c)
        _, a_rows, du, b_rows, c_rows = flat
        grad_a = torch.empty(len(du), *a_rows.shape[1:])
        made = tuple(map(torch.empty_like, (du, du, b_rows, c_rows)))
        grad_du, grad_delta, grad_b, grad_c = made
        gradients = (grad_du, grad_delta, grad_a, grad_b, grad_c)
        arrays = [x.numpy() for x in (*flat, _rows(grad_y), *gradients)]
        in_threads(lambda start, stop: _kernels_scan.backward(*arrays, start, stop), len(du))
        grad_du, grad_delta = _unflat(grad_du, u.shape), _unflat(grad_delta, u.shape)
        return (
            grad_du * delta + grad_y * d[None, :, :, None],
            grad_du * u + grad_delta,
            grad_a.unflatten(0, u.shape[:2]).sum(0).transpose(1, 2),
            _unflat(grad_b, b.shape),
            _unflat(grad_c, c.shape),
            (grad_y * u).sum((0, 3)),
        )


def _flat(u: Tensor, delta: Tensor, a: Tensor, b: Tensor, c: Tensor) -> tuple[Tensor, ...]:
    """delta, a, delta u, b, c as the kernels want them: (m, length, ...), channels last."""
    delta_rows, a_rows = _rows(delta), a.detach().transpose(1, 2).contiguous()
    return delta_rows, a_rows, delta_rows * _rows(u), _rows(b), _rows(c)


def _rows(x: Tensor) -> Tensor:
    """(batch, group, k, length) -> (batch * group, length, k)."""
    return x.detach().flatten(0, 1).transpose(1, 2).contiguous()


def _unflat(x: Tensor, shape: torch.Size) -> Tensor:
    return x.transpose(1, 2).reshape(shape)


class _Chunks:
    """The arguments cut into chunks, time first, channels last so that inner loops are long.

    ``delta`` and ``du`` are (T, K, batch, group, channel), ``b`` and ``c`` are
    (T, state, K, batch, group, 1), ``a`` is (state, 1, 1, group, channel).
    Padded steps have delta = 0: the state stays as it is.
    """

    def __init__(self, u: Tensor, delta: Tensor, a: Tensor, b: Tensor, c: Tensor) -> None:
        self.length = u.shape[-1]
        self.n_steps = 2 ** math.ceil(math.log2(max(1.0, math.sqrt(self.length))))
        self.n_chunks = -(-self.length // self.n_steps)
        self.a = a.permute(2, 0, 1)[:, None, None]
        self.delta = self.split_sequence(delta)
        self.du = self.delta * self.split_sequence(u)
        self.b = self.split_states(b)
        self.c = self.split_states(c)
        self._buffer = torch.empty_like(self.b[0] * self.du[0])

    def decay(self, t: int) -> Tensor:
        """exp(delta_t A): (state, K, batch, group, channel), in a buffer that is used again.

        Fresh memory for every step would cost more than the arithmetic.
        """
        return torch.mul(self.delta[t], self.a, out=self._buffer).exp_()

    def split_sequence(self, x: Tensor) -> Tensor:
        """(batch, group, channel, length) -> (T, K, batch, group, channel)."""
        return self._cut(x).permute(4, 3, 0, 1, 2).contiguous()

    def split_states(self, x: Tensor) -> Tensor:
        """(batch, group, state, length) -> (T, state, K, batch, group, 1)."""
        return self._cut(x).permute(4, 2, 3, 0, 1)[..., None].contiguous()

    def join(self, x: Tensor) -> Tensor:
        """(T, K, batch, group, channel) -> (batch, group, channel, length)."""
        whole = x.permute(2, 3, 4, 1, 0)
        return whole.reshape(*whole.shape[:3], -1)[..., : self.length]

    def join_states(self, x: Tensor) -> Tensor:
        """(T, state, K, batch, group) -> (batch, group, state, length)."""
        whole = x.permute(3, 4, 1, 2, 0)
        return whole.reshape(*whole.shape[:3], -1)[..., : self.length]

    def _cut(self, x: Tensor) -> Tensor:
        padding = self.n_steps * self.n_chunks - self.length
        padded = torch.nn.functional.pad(x, (0, padding))
        cut: Tensor = padded.unflatten(-1, (self.n_chunks, self.n_steps))
        return cut


def _local_pass(x: _Chunks) -> tuple[Tensor, Tensor]:
    """End state of every chunk when it starts from zero, and the decay over the whole chunk."""
    state = x.b[0] * x.du[0]
    for t in range(1, x.n_steps):
        state.mul_(x.decay(t)).addcmul_(x.b[t], x.du[t])
    return state, (x.delta.sum(0) * x.a).exp_()


def _carry(x: _Chunks, ends: Tensor, decay: Tensor) -> Tensor:
    """True start state of every chunk: (state, K, batch, group, channel)."""
    starts = torch.zeros_like(ends)
    for k in range(1, x.n_chunks):
        torch.addcmul(ends[:, k - 1], decay[:, k - 1], starts[:, k - 1], out=starts[:, k])
    return starts


def _states(x: _Chunks, starts: Tensor):  # type: ignore[no-untyped-def]
    """Yield (t, h_t) for all chunks at once; h_t is reused, do not keep it."""
    state = starts.clone()
    for t in range(x.n_steps):
        state.mul_(x.decay(t)).addcmul_(x.b[t], x.du[t])
        yield t, state


def _reverse(x: _Chunks, starts: Tensor, grad_y: Tensor) -> tuple[Tensor, ...]:
    """Gradients of the recurrence by running it backwards: g_t = C_t dy_t + a_{t+1} g_{t+1}."""
    before = torch.empty((x.n_steps, *starts.shape), dtype=starts.dtype, device=starts.device)
    grad_c = torch.empty(before.shape[:-1], dtype=starts.dtype, device=starts.device)
    before[0] = starts
    product = torch.empty_like(starts)
    for t, state in _states(x, starts):
        torch.sum(torch.mul(state, grad_y[t], out=product), -1, out=grad_c[t])
        if t + 1 < x.n_steps:
            before[t + 1] = state
    adjoint = _adjoint_ends(x, grad_y)
    grad_du, grad_delta = torch.empty_like(x.du), torch.empty_like(x.delta)
    grad_b = torch.empty_like(grad_c)
    grad_a = torch.zeros_like(starts)
    for t in reversed(range(x.n_steps)):
        adjoint.addcmul_(x.c[t], grad_y[t])
        torch.sum(torch.mul(adjoint, x.du[t], out=product), -1, out=grad_b[t])
        torch.sum(torch.mul(adjoint, x.b[t], out=product), 0, out=grad_du[t])
        adjoint.mul_(x.decay(t))
        through_decay = before[t].mul_(adjoint)
        grad_a.addcmul_(through_decay, x.delta[t])
        torch.sum(through_decay.mul_(x.a), 0, out=grad_delta[t])
    return (
        grad_du,
        grad_delta,
        grad_a.sum((1, 2)).permute(1, 2, 0),
        x.join_states(grad_b),
        x.join_states(grad_c),
    )


def _adjoint_ends(x: _Chunks, grad_y: Tensor) -> Tensor:
    """What flows back into the last step of every chunk from the chunks behind it."""
    local = torch.zeros_like(x.a * x.delta[0])
    for t in reversed(range(x.n_steps)):
        local.addcmul_(x.c[t], grad_y[t]).mul_(x.decay(t))
    decay = (x.delta.sum(0) * x.a).exp_()
    ends = torch.zeros_like(local)
    for k in reversed(range(x.n_chunks - 1)):
        torch.addcmul(local[:, k + 1], decay[:, k + 1], ends[:, k + 1], out=ends[:, k])
    return ends
