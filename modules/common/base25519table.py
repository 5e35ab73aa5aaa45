#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Print base25519table.h: multiples of the base point of edwards25519, and
the eight points of low order.  Run it after a change of the constants below:

    python3 base25519table.py > base25519table.h
"""

P = 2**255 - 19
D = -121665 * pow(121666, -1, P) % P
COMBS, TEETH, GAP = 4, 5, 13


def add(a, b):
    (x1, y1), (x2, y2) = a, b
    k = D * x1 * x2 * y1 * y2 % P
    return ((x1 * y2 + x2 * y1) * pow(1 + k, -1, P) % P,
            (y1 * y2 + x1 * x2) * pow(1 - k, -1, P) % P)


def negate(a):
    return (-a[0] % P, a[1])


def root(n):
    """A square root of n, even."""
    r = pow(n, (P + 3) // 8, P)
    if r * r % P != n % P:
        r = r * pow(2, (P - 1) // 4, P) % P
    assert r * r % P == n % P
    return r if r % 2 == 0 else P - r


def at_height(y):
    return (root((y * y - 1) * pow(D * y * y + 1, -1, P)), y)


def limbs(n):
    return "{ { " + ", ".join(f"0x{n >> 51 * i & 2**51 - 1:x}" for i in range(5)) + " } }"


def show(point):
    x, y = point
    print("\t\t{ " + limbs((y + x) % P) + ",")
    print("\t\t    " + limbs((y - x) % P) + ",")
    print("\t\t    " + limbs(2 * D * x * y % P) + ", 0 },")


def combs():
    power = at_height(4 * pow(5, -1, P))
    teeth = []
    for _ in range(COMBS * TEETH):
        teeth.append(power)
        for _ in range(GAP):
            power = add(power, power)
    for comb in range(COMBS):
        mine = teeth[comb * TEETH:(comb + 1) * TEETH]
        entries = []
        for bits in range(2**(TEETH - 1)):
            point = mine[-1]
            for i, tooth in enumerate(mine[:-1]):
                point = add(point, tooth if bits >> i & 1 else negate(tooth))
            entries.append(point)
        yield entries


def low_order():
    order8 = (int.from_bytes(bytes.fromhex(
        "4ad145c54646a1de38e2e513703c195cbb4ade38329933e9284a3906a0b9d51f"), "little"),
        int.from_bytes(bytes.fromhex(
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little"))
    point = (0, 1)
    for _ in range(8):
        yield point
        point = add(point, order8)
    assert point == (0, 1)


print("/* SPDX-License-Identifier: BSD-3-Clause */")
print("/* Made by base25519table.py; each point as y + x, y - x, 2dxy. */")
print("static const struct ptah_ge_fixed comb_points[COMBS][COMB_POINTS] = {")
for entries in combs():
    print("\t{")
    for entry in entries:
        show(entry)
    print("\t},")
print("};")
print()
print("static const struct ptah_ge_fixed low_order_points[8] = {")
for entry in low_order():
    show(entry)
print("};")
