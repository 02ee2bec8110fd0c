"""The LSTM a byte at a time, for a context mixer that calls it within a kernel of its own.

    net = byte_model()                     # without direct connections, as in cmix (Knoll)
    t = begin(net)                         # before the first byte
    chance_of_one(net.heap, t, node)       # of a bit; `node`: 1, then the bits of the byte so far
    t = step(net, t, byte)                 # after every byte

Row t of net.heap is the distribution of the next byte, a heap of 256 leaves: node 1 is the sum of
all, and leaves begin at 256. Row t of net.chances is the same in float32.
"""

# Kernels get their types from numba.
# mypy: allow-untyped-defs, no-check-untyped-defs, allow-untyped-decorators, allow-untyped-calls
from ncodec.lossless.kernels import exact_kernel
from ncodec.lossless.neural.recurrent import Net, forward, fresh, take


def byte_model() -> Net:
    """A network whose symbols are bytes and that has no direct connections, which takes 5 MB."""
    return fresh(symbols=256, size=0, orders=0)


@exact_kernel
def begin(net):
    """Foretell the first byte; returns its step, 0."""
    forward(net, 0)
    return 0


@exact_kernel
def step(net, t, byte):
    """Take the byte that followed step t, train at the horizon, and foretell the next; returns the
    next step."""
    after = take(net, t, byte)
    forward(net, after)
    return after
