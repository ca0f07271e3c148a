"""Draws media/icon.png (256 x 256): a sunshade over two waves. Nothing but the standard library is needed."""

import math
import struct
import zlib
from pathlib import Path

SIZE, OVER = 256, 3
TEAL, SAND, DEEP = (15, 118, 136), (250, 240, 218), (9, 74, 92)


def colour(x: float, y: float) -> tuple[int, int, int, int]:
    inset = max(abs(x - 128) - 72, 0), max(abs(y - 128) - 72, 0)
    if math.hypot(*inset) > 52:
        return 0, 0, 0, 0
    dome = math.hypot((x - 128) / 1.15, y - 128) < 66 and y < 118
    pole = abs(x - 128) < 5 and 110 < y < 176
    if dome:
        stripe = int((math.atan2(118 - y, x - 128) / math.pi) * 5)
        return (*(SAND if stripe % 2 == 0 else (240, 130, 90)), 255)
    if pole:
        return (*SAND, 255)
    for base, tone in ((188, SAND), (208, (150, 205, 212))):
        if abs(y - base - 7 * math.sin(x / 14)) < 5 and 52 < x < 204:
            return (*tone, 255)
    return (*(TEAL if y < 128 else tuple((a + b) // 2 for a, b in zip(TEAL, DEEP, strict=True))), 255)


def main() -> None:
    rows = []
    for y in range(SIZE):
        row = bytearray([0])
        for x in range(SIZE):
            samples = [
                colour(x + (i + 0.5) / OVER, y + (j + 0.5) / OVER) for i in range(OVER) for j in range(OVER)
            ]
            alpha = sum(s[3] for s in samples)
            row += bytes(sum(s[k] * s[3] for s in samples) // alpha if alpha else 0 for k in range(3))
            row.append(alpha // len(samples))
        rows.append(bytes(row))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", SIZE, SIZE, 8, 6, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"".join(rows), 9))
    (Path(__file__).parents[1] / "media" / "icon.png").write_bytes(png + chunk(b"IEND", b""))


if __name__ == "__main__":
    main()
