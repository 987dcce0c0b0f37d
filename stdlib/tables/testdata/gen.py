"""Writes arrays as NumPy saves them, of all types and layouts: the values of sample i are i·7+k mod 100 in the order HWC."""
import numpy as np

n, h, w, c = 6, 4, 5, 3
k = np.arange(h * w * c).reshape(h, w, c)
x = np.stack([(i * 7 + k) % 100 for i in range(n)])
y = np.arange(n) * 2 % 5
mask = (x[..., 0] % 4)
mask[0, 0, 0] = 255
all = dict(y=y, y32=y.astype(">i4"), column=y.reshape(n, 1).astype("u1"), floats=y.astype("f8"), half=y + 0.5, mask=mask.astype("u1"), mask1=mask[:, None].astype("i2"),
           bytes=x.astype("u1"), planes=np.ascontiguousarray(x.transpose(0, 3, 1, 2)).astype("u1"), grey=x[..., 0].astype("u1"), vector=x.reshape(n, -1).astype("f4"),
           turned=np.asfortranarray(x.astype("u1")), objects=np.array([{}] * n), few=x[:3].astype("u1"),
           planes4=np.ascontiguousarray(x.transpose(0, 3, 1, 2)).astype("f4"), truth=(x % 2 == 0))
for t in "u2 i1 i2 i4 u4 i8 u8 f2 f4 f8 >f4 >f8 >i2 >u2".split():
    all["t" + t.replace(">", "b")] = x.astype(t)
np.savez("arrays.npz", **all)
np.savez_compressed("packed.npz", **{k: all[k] for k in ("y", "bytes", "tf4", "mask")})
np.save("x_train.npy", all["bytes"])
np.save("y_train.npy", all["y"])
