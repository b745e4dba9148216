#!/usr/bin/env python3
"""Makes what tests compare with Pillow 11.3.0 on synthetic pictures; run by hand, its output is committed:

    python3 tests/data/golden.py pictures > tests/unit/golden_pictures.inc
    python3 tests/data/golden.py resize > tests/unit/golden_resize.inc

`pictures` are small files of kinds that our encoders do not write, with the pixels that Pillow decodes from
them; `resize` is what its resize makes of a picture.
"""
import io
import sys

from PIL import Image


def picture(width, height):
    """The same as gh_test_picture in tests/unit/picture.c: a gradient with a pattern, and a square."""
    image = Image.new("RGB", (width, height))
    for y in range(height):
        for x in range(width):
            r = x * 255 // max(width - 1, 1)
            g = y * 255 // max(height - 1, 1)
            b = (x * 37 + y * 91) % 256
            if width // 4 <= x < width // 2 and height // 4 <= y < height // 2:
                r, g, b = 250, 20, 30
            image.putpixel((x, y), (r, g, b))
    return image


def array(name, data):
    print(f"static const uint8_t {name}[] = {{")
    for i in range(0, len(data), 24):
        print("    " + ",".join(str(v) for v in data[i : i + 24]) + ",")
    print("};")


def golden(name, data):
    image = Image.open(io.BytesIO(data))
    if image.mode in ("RGBA", "LA", "PA"):
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        image = Image.alpha_composite(white, image.convert("RGBA"))
    array(name, data)
    array(name + "_rgb", image.convert("RGB").tobytes())


def saved(image, **options):
    out = io.BytesIO()
    image.save(out, **options)
    return out.getvalue()


def pictures():
    rgb = picture(10, 9)
    jpeg = {"format": "JPEG", "quality": 85, "optimize": True}
    golden("jpeg_444", saved(rgb, subsampling="4:4:4", **jpeg))
    golden("jpeg_422", saved(rgb, subsampling="4:2:2", **jpeg))
    golden("jpeg_420", saved(rgb, subsampling="4:2:0", **jpeg))
    golden("jpeg_progressive", saved(rgb, progressive=True, **jpeg))
    golden("jpeg_restarts", saved(picture(20, 9), restart_marker_blocks=1, **jpeg))
    golden("jpeg_stored_rgb", saved(rgb, keep_rgb=True, **jpeg))
    golden("jpeg_grey", saved(rgb.convert("L"), **jpeg))
    ink = Image.merge("CMYK", (*rgb.split(), rgb.convert("L")))
    cmyk = saved(ink, **jpeg)
    golden("jpeg_cmyk", cmyk)
    # The last byte of the Adobe marker says which transform was used; 2 makes the same data YCCK.
    at = cmyk.index(b"Adobe") + 11
    golden("jpeg_ycck", cmyk[:at] + b"\2" + cmyk[at + 1 :])
    clear = rgb.copy()
    clear.putalpha(rgb.convert("L"))
    golden("webp_lossy", saved(rgb, format="WEBP", quality=80))
    golden("webp_lossless", saved(rgb, format="WEBP", lossless=True))
    golden("webp_lossy_alpha", saved(clear, format="WEBP", quality=80))
    golden("webp_lossless_alpha", saved(clear, format="WEBP", lossless=True, exact=True))
    exif = Image.Exif()
    exif[0x0112] = 6
    array("webp_turned", saved(rgb, format="WEBP", lossless=True, exif=exif.tobytes()))
    frames = [picture(10, 9), picture(10, 9).transpose(Image.Transpose.ROTATE_180)]
    array("webp_animated", saved(frames[0], format="WEBP", lossless=True, save_all=True, append_images=frames[1:]))


def resize():
    source = picture(40, 27)
    for name in ("BILINEAR", "BICUBIC", "LANCZOS"):
        kind = getattr(Image.Resampling, name)
        array(f"resize_{name}_down".lower(), source.resize((9, 6), kind).tobytes())
        array(f"resize_{name}_up".lower(), picture(4, 3).resize((11, 8), kind).tobytes())
        array(f"resize_{name}_box".lower(), source.resize((7, 5), kind, box=(3.5, 2.25, 33.25, 20.5)).tobytes())


print("/* Made by tests/data/golden.py with Pillow 11.3.0. */")
{"pictures": pictures, "resize": resize}[sys.argv[1]]()
