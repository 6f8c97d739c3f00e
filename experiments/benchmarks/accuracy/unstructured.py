"""Cases of the suite ``unstructured``: pictures, sequences and interactions of known truth."""

from __future__ import annotations

from lmi.experiments.benchmarks.accuracy.case import Case
from lmi.sources.nonlinear.interactions import Interactions
from lmi.sources.pictures.bumps import Bumps
from lmi.sources.pictures.digits_channel import DigitsChannel
from lmi.sources.pictures.rectangles import Rectangles
from lmi.sources.pictures.textures import Textures
from lmi.sources.series.hidden_chain import HiddenChain
from lmi.types import NATS_PER_BIT


def unstructured_cases() -> list[Case]:
    """All cases: pictures at 10^4 and at 2,000 pairs, larger pictures, digits, sequences, interactions."""
    cases = [
        Case(
            f"{kind.__name__.lower()}{size}-{nats}nats-n{n}",
            f"pictures {size}, n={n}",
            kind(size, nats / NATS_PER_BIT),
            n,
        )
        for size, n, most in ((16, 10_000, 6), (16, 2000, 6), (32, 20_000, 8))
        for kind in (Bumps, Rectangles, Textures)
        for nats in (0, 1, 2, 4, 6, 8)
        if nats <= most
    ]
    cases += [
        Case(f"digits-{bits:g}bits", "digits with a class channel", DigitsChannel(bits), 1500)
        for bits in (0.0, 0.25, 0.5, 0.75, 1.0)
    ]
    cases += [
        Case(f"digit-halves-{bits:g}bits", "digits with a class channel", DigitsChannel(bits, halves=True), 1500)
        for bits in (0.0, 0.5, 1.0)
    ]
    cases += [
        Case(
            f"digits-bright-{bits:g}bits",
            "digits with a class channel and a brightness",
            DigitsChannel(0.5, brightness_bits=bits),
            1500,
        )
        for bits in (0.5, 1.0)
    ]
    cases += [
        Case(f"chain-l{length}-s{apart:g}", "sequences", HiddenChain(length=length, separation=apart), 10_000)
        for length in (12, 24)
        for apart in (0.0, 0.5, 0.8)
    ]
    return cases + [
        Case(f"interactions-{columns}-{count}", "interactions", Interactions(columns=columns, count=count), 10_000)
        for columns in (100, 500)
        for count in (0, 1, 3)
    ]
