#!/usr/bin/env python3
"""Draws the self-test picture of the ImageNet models: a carved pumpkin, class 607, jack-o'-lantern.

usage: python3 tests/data/draw_selftest.py OUT.png

Standard library only and integer arithmetic, so that the pixels are the same everywhere; the drawing is ours.
It is wider than high and full of colour on purpose: a wrong crop, a stretched picture or swapped channels
change the score.
"""
import struct
import sys
import zlib

WIDTH, HEIGHT, SAMPLES = 320, 256, 4  # pixels; samples a pixel in each direction
UNIT = 1024 // HEIGHT  # the shapes are drawn in a space 1024 high and 1280 wide
NIGHT, STALK, RIM, GLOW = (10, 10, 20), (70, 90, 30), (190, 80, 0), (255, 230, 60)


def ellipse(x0, y0, x1, y1):
    cx, cy, rx, ry = x0 + x1, y0 + y1, x1 - x0, y1 - y0  # all doubled
    return lambda x, y: ((2 * x - cx) * ry) ** 2 + ((2 * y - cy) * rx) ** 2 <= (rx * ry) ** 2


def polygon(*points):
    edges = list(zip(points, points[1:] + points[:1]))

    def inside(x, y):
        crossings = 0
        for (ax, ay), (bx, by) in edges:
            if (ay > y) != (by > y):
                cross = (bx - ax) * (y - ay) - (x - ax) * (by - ay)
                crossings += (cross > 0) == (by > ay)
        return crossings % 2 == 1

    return inside


def shapes():
    """(inside, colour), from the back to the front; x is moved by 128, so that the pumpkin stands in the middle."""
    for x, orange in ((300, 138), (724, 129), (400, 123), (624, 123), (512, 123)):
        yield ellipse(x - 52, 230, x + 308, 860), RIM
        yield ellipse(x - 44, 238, x + 300, 852), (235, orange, 20)
    yield polygon((608, 140), (678, 140), (678, 260), (608, 260)), STALK
    yield polygon((458, 480), (578, 480), (518, 360)), GLOW
    yield polygon((702, 480), (822, 480), (762, 360)), GLOW
    yield polygon((598, 560), (682, 560), (640, 490)), GLOW
    yield polygon((408, 620), (488, 650), (548, 620), (608, 660), (668, 625), (728, 660), (788, 620),
                  (872, 620), (768, 760), (640, 790), (518, 760)), GLOW


def pixels():
    front = list(shapes())[::-1]
    for py in range(HEIGHT):
        row = bytearray([0])  # filter: none
        for px in range(WIDTH):
            total = [0, 0, 0]
            for k in range(SAMPLES * SAMPLES):
                x = px * UNIT + k % SAMPLES * UNIT // SAMPLES
                y = py * UNIT + k // SAMPLES * UNIT // SAMPLES
                colour = next((c for inside, c in front if inside(x, y)), NIGHT)
                total = [t + c for t, c in zip(total, colour)]
            row += bytes((t + SAMPLES * SAMPLES // 2) // (SAMPLES * SAMPLES) for t in total)
        yield bytes(row)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: draw_selftest.py OUT.png")
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, 0)  # 8 bits, RGB
    with open(sys.argv[1], "wb") as out:
        out.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
                  + chunk(b"IDAT", zlib.compress(b"".join(pixels()), 9)) + chunk(b"IEND", b""))


if __name__ == "__main__":
    main()
