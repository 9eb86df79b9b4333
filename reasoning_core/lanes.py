"""Vectors of float32 as values of numba: what its own loops cannot promise is the width and the order of every sum.

A kernel over lanes names each multiply-add itself, so a number comes out bit for bit the same however many rows are
computed beside it. LLVM maps lanes to the registers of the machine, several for one value where they are short.

Memory is given as byte addresses. Importing this file needs numba, which the package can do without.
"""

import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, overload, register_model

INDEX = ir.IntType(32)


class Lanes(types.Type):
    """The type of `width` numbers of float32 in registers."""

    def __init__(self, width: int) -> None:
        self.width = width
        super().__init__(name=f"Lanes({width})")


@register_model(Lanes)
class LanesModel(models.PrimitiveModel):
    """Lanes are one vector of LLVM."""

    def __init__(self, manager: Any, kind: Lanes) -> None:
        super().__init__(manager, kind, ir.VectorType(ir.FloatType(), kind.width))


NARROW, WIDE = Lanes(16), Lanes(64)


def _code(result: Any, *arguments: Any, build: Callable[..., Any]) -> tuple[Any, Callable[..., Any]]:
    """Return a signature, and code that `build(builder, *values)` emits."""
    return result(*arguments), lambda context, builder, signature, values: build(builder, *values)


def _integers(width: int, value: int) -> ir.Constant:
    return ir.Constant(ir.VectorType(INDEX, width), [value & 0xFFFFFFFF] * width)


def _like(lanes: ir.Value, value: float) -> ir.Constant:
    return ir.Constant(lanes.type, [value] * lanes.type.count)


def _shuffled(b: ir.IRBuilder, lanes: ir.Value, places: list[int]) -> ir.Value:
    order = ir.Constant(ir.VectorType(INDEX, len(places)), places)
    return b.shuffle_vector(lanes, ir.Constant(lanes.type, ir.Undefined), order)


def _spread(b: ir.IRBuilder, number: ir.Value, width: int) -> ir.Value:
    empty = ir.Constant(ir.VectorType(ir.FloatType(), width), ir.Undefined)
    return _shuffled(b, b.insert_element(empty, number, ir.Constant(INDEX, 0)), [0] * width)


def _read(b: ir.IRBuilder, address: ir.Value, kind: ir.Type) -> ir.Value:
    return b.load(b.inttoptr(address, kind.as_pointer()), align=4)


def _fma(b: ir.IRBuilder, x: ir.Value, y: ir.Value, z: ir.Value) -> ir.Value:
    kind = ir.FunctionType(x.type, [x.type] * 3)
    return b.call(cgutils.get_or_insert_function(b.module, kind, f"llvm.fma.v{x.type.count}f32"), [x, y, z])


def _larger(b: ir.IRBuilder, x: ir.Value, y: ir.Value) -> ir.Value:
    return b.select(b.fcmp_ordered(">", x, y), x, y)


def _memory(kind: Lanes) -> tuple[Any, Any, Any]:
    """Return how lanes of a kind come to be: from one number, from one number in memory, from memory."""
    vector = ir.VectorType(ir.FloatType(), kind.width)

    @intrinsic
    def spread(context: Any, number: Any) -> Any:
        return _code(kind, types.float32, build=lambda b, x: _spread(b, x, kind.width))

    @intrinsic
    def load_spread(context: Any, address: Any) -> Any:
        return _code(kind, types.int64, build=lambda b, at: _spread(b, _read(b, at, ir.FloatType()), kind.width))

    @intrinsic
    def load(context: Any, address: Any) -> Any:
        return _code(kind, types.int64, build=lambda b, at: _read(b, at, vector))

    return spread, load_spread, load


spread, load_spread, load = _memory(NARROW)
spread_wide, load_spread_wide, load_wide = _memory(WIDE)


@intrinsic
def load_even(context: Any, address: Any) -> Any:
    """Read the lower halves of 64 words of 32 bits as bfloat16."""

    def build(b: ir.IRBuilder, at: ir.Value) -> ir.Value:
        words = _read(b, at, ir.VectorType(INDEX, WIDE.width))
        return b.bitcast(b.shl(words, _integers(WIDE.width, 16)), ir.VectorType(ir.FloatType(), WIDE.width))

    return _code(WIDE, types.int64, build=build)


@intrinsic
def load_odd(context: Any, address: Any) -> Any:
    """Read the upper halves of 64 words of 32 bits as bfloat16."""

    def build(b: ir.IRBuilder, at: ir.Value) -> ir.Value:
        words = _read(b, at, ir.VectorType(INDEX, WIDE.width))
        kept = b.and_(words, _integers(WIDE.width, 0xFFFF0000))
        return b.bitcast(kept, ir.VectorType(ir.FloatType(), WIDE.width))

    return _code(WIDE, types.int64, build=build)


@intrinsic
def store(context: Any, address: Any, lanes: Any) -> Any:
    def build(b: ir.IRBuilder, at: ir.Value, value: ir.Value) -> ir.Value:
        b.store(value, b.inttoptr(at, value.type.as_pointer()), align=4)
        return ir.Constant(ir.IntType(8).as_pointer(), None)

    return _code(types.void, types.int64, lanes, build=build)


@intrinsic
def fma(context: Any, x: Any, y: Any, z: Any) -> Any:
    """Return x * y + z, rounded once."""
    return _code(x, x, x, x, build=_fma)


@intrinsic
def larger(context: Any, x: Any, y: Any) -> Any:
    return _code(x, x, x, build=_larger)


def _fold(combine: Callable[..., ir.Value]) -> Any:
    """Return how lanes become one number: half on half, always in the same order."""

    def build(b: ir.IRBuilder, lanes: ir.Value) -> ir.Value:
        while (half := lanes.type.count // 2) > 0:
            lanes = combine(b, _shuffled(b, lanes, list(range(half))), _shuffled(b, lanes, list(range(half, 2 * half))))
        return b.extract_element(lanes, ir.Constant(INDEX, 0))

    @intrinsic
    def fold(context: Any, lanes: Any) -> Any:
        return _code(types.float32, lanes, build=build)

    return fold


total, largest = _fold(lambda b, x, y: b.fadd(x, y)), _fold(_larger)


@intrinsic
def sixteen_products(context: Any, x: Any, rows: Any, num_bytes: Any) -> Any:
    """Return the scalar products of x with 16 rows that lie behind one another.

    Each is what `total` makes of the same multiply-adds: half on half, only that here 16 vectors are folded together.
    """

    def build(b: ir.IRBuilder, x: ir.Value, rows: ir.Value, num_bytes: ir.Value) -> ir.Value:
        width, place = NARROW.width, ir.IntType(64)
        vector = ir.VectorType(ir.FloatType(), width)
        sums = [cgutils.alloca_once_value(b, ir.Constant(vector, [0.0] * width)) for _ in range(width)]
        chunk = ir.Constant(place, 4 * width)
        with cgutils.for_range(b, b.udiv(num_bytes, chunk), intp=place) as loop:
            offset = b.mul(loop.index, chunk)
            part, at = _read(b, b.add(x, offset), vector), b.add(rows, offset)
            for products in sums:
                b.store(_fma(b, part, _read(b, at, vector), b.load(products)), products)
                at = b.add(at, num_bytes)
        vectors = [b.load(products) for products in sums]
        for level in range(4):
            group = width >> level  # lanes that still belong to one row
            halves = [lane for lane in range(2 * width) if lane % group < group // 2]
            first = ir.Constant(ir.VectorType(INDEX, width), halves)
            second = ir.Constant(ir.VectorType(INDEX, width), [lane + group // 2 for lane in halves])
            pairs = zip(vectors[::2], vectors[1::2], strict=True)
            vectors = [b.fadd(b.shuffle_vector(*pair, first), b.shuffle_vector(*pair, second)) for pair in pairs]
        return vectors[0]

    return _code(NARROW, types.int64, types.int64, types.int64, build=build)


@intrinsic
def exp(context: Any, lanes: Any) -> Any:
    """Return e ** x within two units in the last place, x held between -87 and 88.

    x = n ln 2 + r, with n whole: a polynomial for e ** r, and n added to its exponent.
    """

    def build(b: ir.IRBuilder, x: ir.Value) -> ir.Value:
        width = x.type.count
        x = _larger(b, x, _like(x, -87.0))
        x = b.select(b.fcmp_ordered("<", x, _like(x, 88.0)), x, _like(x, 88.0))
        shift = _like(x, 12582912.0)  # 1.5 * 2 ** 23: adding it rounds to a whole number
        n = b.fsub(_fma(b, x, _like(x, 1.4426950408889634), shift), shift)
        r = _fma(b, n, _like(x, -0.693145751953125), x)  # ln 2 in two parts: the first has few bits
        r = _fma(b, n, _like(x, -1.428606765330187e-06), r)
        power = _like(x, 1 / 720)
        for coefficient in (1 / 120, 1 / 24, 1 / 6, 1 / 2, 1.0, 1.0):
            power = _fma(b, power, r, _like(x, coefficient))
        exponent = b.shl(b.fptosi(n, ir.VectorType(INDEX, width)), _integers(width, 23))
        return b.bitcast(b.add(b.bitcast(power, exponent.type), exponent), x.type)

    return _code(lanes, lanes, build=build)


def _offer(symbol: Callable[..., Any], instruction: str) -> None:
    """Let a Python operator stand between lanes."""

    @intrinsic
    def combined(context: Any, x: Any, y: Any) -> Any:
        return _code(x, x, x, build=lambda b, *values: getattr(b, instruction)(*values))

    @overload(symbol)
    def between_lanes(x, y):
        if isinstance(x, Lanes) and x == y:
            return lambda x, y: combined(x, y)
        return None


for _symbol, _instruction in {
    operator.add: "fadd",
    operator.sub: "fsub",
    operator.mul: "fmul",
    operator.truediv: "fdiv",
}.items():
    _offer(_symbol, _instruction)
