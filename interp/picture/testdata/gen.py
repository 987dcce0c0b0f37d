"""Writes vectors.json with Pillow: image files of all kinds with what Pillow reads from them, and images of other sizes."""
import base64, io, json, random
from PIL import Image, __version__

random.seed(5)
text = lambda b: base64.b64encode(b).decode()


def photo(w, h):
    """Something smooth with edges and a little noise."""
    im = Image.new("RGB", (w, h))
    for y in range(h):
        for x in range(w):
            edge = 90 if (x // 7 + y // 5) % 2 else 0
            p = (x * 200 // w + edge // 2, y * 180 // h + edge // 3, 120 + edge - x * 60 // w)
            im.putpixel((x, y), tuple(min(255, max(0, v + random.randint(-4, 4))) for v in p))
    return im


files = []


def add(name, im, **how):
    out = io.BytesIO()
    im.save(out, **how)
    data = out.getvalue()
    back = Image.open(io.BytesIO(data))
    from PIL import ImageOps
    back = ImageOps.exif_transpose(back)
    if back.mode.startswith("I;16") or back.mode == "I":
        back = back.point(lambda v: v / 256).convert("L")
    if back.mode in ("LA", "PA", "P"):
        back = back.convert("RGBA")
    rgb = back.convert("RGB")
    files.append(dict(name=name, file=text(data), h=rgb.height, w=rgb.width, rgb=text(rgb.tobytes()),
                      grey=text((back if back.mode == "L" else rgb.convert("L")).tobytes()), rgba=text(back.convert("RGBA").tobytes())))


im = photo(23, 17)
alpha = im.convert("RGBA")
alpha.putalpha(Image.linear_gradient("L").resize(im.size))
for name, sampling in ("444", 0), ("422", 1), ("420", 2):
    add("jpeg " + name, im, format="JPEG", quality=90, subsampling=sampling)
add("jpeg 420 even", photo(32, 16), format="JPEG", quality=85, subsampling=2)
add("jpeg 420 tall", photo(3, 40), format="JPEG", quality=85, subsampling=2)
add("jpeg 420 pixel", photo(1, 1), format="JPEG", quality=85, subsampling=2)
add("jpeg progressive", im, format="JPEG", quality=90, progressive=True)
add("jpeg grey", im.convert("L"), format="JPEG", quality=90)
add("jpeg cmyk", im.convert("CMYK"), format="JPEG", quality=95)
for code in range(1, 9):
    exif = Image.Exif()
    exif[0x112] = code
    add(f"jpeg turned {code}", im, format="JPEG", quality=95, subsampling=0, exif=exif)
exif = Image.Exif()
exif[0x112] = 6
add("png turned 6", im, format="PNG", exif=exif)
add("webp turned 8", im, format="WEBP", lossless=True, exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x08\0\0\0\0\0\0")
add("png rgb", im, format="PNG")
add("png grey", im.convert("L"), format="PNG")
add("png bits", im.convert("1"), format="PNG")
add("png rgba", alpha, format="PNG")
add("png grey alpha", alpha.convert("LA"), format="PNG")
add("png palette", im.quantize(16), format="PNG")
clear = im.quantize(16)
add("png palette clear", clear, format="PNG", transparency=3)
wide = Image.new("I;16", im.size)
for i, v in enumerate(im.convert("L").getdata()):
    wide.putpixel((i % im.width, i // im.width), v * 257 - (v > 0) * (i % 256))
add("png 16", wide, format="PNG")
add("webp lossless", im, format="WEBP", lossless=True)
add("webp alpha", alpha, format="WEBP", lossless=True, exact=True)
add("webp lossy", im, format="WEBP", quality=90)
add("gif", im.quantize(32), format="GIF")
out = io.BytesIO()
add("gif moving", im.quantize(32), format="GIF", save_all=True, append_images=[photo(23, 17).quantize(8)])
add("bmp rgb", im, format="BMP")
add("bmp grey", im.convert("L"), format="BMP")
add("bmp palette", im.quantize(9), format="BMP")

sizes = []
src = photo(29, 23)
for mode in "RGB", "L", "RGBA":
    m = src.convert(mode)
    for filter in "nearest", "bilinear", "bicubic":
        for box in None, (3, 2, 24, 19):
            for size in (11, 7), (29, 11), (13, 23), (64, 50), (29, 23), (1, 1), (40, 9):
                if mode != "RGB" and (box or size == (64, 50)):
                    continue
                part = m.crop(box) if box else m
                to = part.resize(size, getattr(Image.Resampling, filter.upper()))
                sizes.append(dict(channels=len(mode), filter=filter, box=box or (0, 0, m.width, m.height), w=size[0], h=size[1], pix=text(to.tobytes())))
masks = []
for name, m, values in (
    ("palette of 4 bits", im.quantize(16), None), ("palette", im.quantize(200), None), ("grey", im.convert("L"), None),
    ("two values", im.convert("1"), [v // 255 for v in im.convert("1").getdata()]), ("16 bits", wide, None),
):
    out = io.BytesIO()
    m.save(out, format="PNG")
    masks.append(dict(name=name, file=text(out.getvalue()), labels=values or list(m.getdata()), h=m.height, w=m.width))

import torchvision.transforms.functional as F

tones = []
for mode in "RGB", "L":
    m = src.convert(mode)
    for name, apply, values in (
        ("brightness", F.adjust_brightness, (0, 0.3, 1, 1.7)),
        ("contrast", F.adjust_contrast, (0, 0.3, 1, 1.7)),
        ("saturation", F.adjust_saturation, (0, 0.3, 1, 1.7)),
        ("sharpness", F.adjust_sharpness, (0, 0.3, 1, 1.7)),
        ("hue", F.adjust_hue, (-0.5, -0.1, 0, 0.013, 0.25, 0.5)),
        ("posterize", lambda m, v: F.posterize(m, int(v)), (1, 4, 8)),
        ("solarize", F.solarize, (0, 99.5, 128, 255)),
        ("autocontrast", lambda m, _: F.autocontrast(F.posterize(m, 3)), (0,)),
        ("equalize", lambda m, _: F.equalize(m), (0,)),
        ("rotate", lambda m, v: F.rotate(m, v), (-30, -7, 5, 30, 45)),
        ("shear x", lambda m, v: F.affine(m, 0, [0, 0], 1, [__import__("math").degrees(__import__("math").atan(v)), 0], center=[0, 0]), (-0.3, 0.1)),
        ("shear y", lambda m, v: F.affine(m, 0, [0, 0], 1, [0, __import__("math").degrees(__import__("math").atan(v))], center=[0, 0]), (-0.3, 0.1)),
        ("move x", lambda m, v: F.affine(m, 0, [v, 0], 1, [0, 0]), (-9, 4)),
        ("move y", lambda m, v: F.affine(m, 0, [0, v], 1, [0, 0]), (-9, 4)),
    ):
        for v in values:
            tones.append(dict(name=name, channels=len(mode), value=v, pix=text(apply(m, v).tobytes())))
json.dump(dict(tones=tones, masks=masks, pillow=__version__, files=files, w=src.width, h=src.height,
               sources={str(len(m)): text(src.convert(m).tobytes()) for m in ("RGB", "L", "RGBA")}, sizes=sizes), open("vectors.json", "w"), indent=0)
