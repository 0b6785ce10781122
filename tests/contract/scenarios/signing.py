"""Keys that are well signed: Ed25519 as RFC 8032 has it (the tests need no library for it), unpadded base64."""
import base64
import hashlib
import json

P, L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
BX = 15112221349535400772501151409588531511454012693041857206046113283949847762202
BY = 46316835694926478169428394003475163141307993866256225615783033603165251855960
BASE = (BX, BY, 1, BX * BY % P)


def _add(a, b):
    e = (a[1] - a[0]) * (b[1] - b[0]) % P
    f = (a[1] + a[0]) * (b[1] + b[0]) % P
    g, h = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = f - e, h - g, h + g, f + e
    return e * f % P, g * h % P, f * g % P, e * h % P


def _times(scalar, point):
    out = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            out = _add(out, point)
        point, scalar = _add(point, point), scalar >> 1
    return out


def _compress(point):
    inverse = pow(point[2], P - 2, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def unpadded(data):
    return base64.b64encode(data).decode().rstrip("=")


def canonical(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


class Key:
    """A signing key made from a name."""

    def __init__(self, name):
        digest = hashlib.sha512(hashlib.sha256(name.encode()).digest()).digest()
        self.scalar = int.from_bytes(digest[:32], "little") & (1 << 254) - 8 | 1 << 254
        self.prefix = digest[32:]
        self.public_bytes = _compress(_times(self.scalar, BASE))
        self.public = unpadded(self.public_bytes)

    def sign(self, user, key_id, value):
        """The value with this key's signature added."""
        message = canonical({k: v for k, v in value.items() if k not in ("signatures", "unsigned")})
        r = int.from_bytes(hashlib.sha512(self.prefix + message).digest(), "little") % L
        point = _compress(_times(r, BASE))
        h = int.from_bytes(hashlib.sha512(point + self.public_bytes + message).digest(), "little") % L
        signature = unpadded(point + ((r + h * self.scalar) % L).to_bytes(32, "little"))
        signatures = {**value.get("signatures", {})}
        signatures[user] = {**signatures.get(user, {}), f"ed25519:{key_id}": signature}
        return {**value, "signatures": signatures}


def curve_key(name):
    return unpadded(hashlib.sha256(name.encode()).digest())


def device_keys(client, key):
    value = {"user_id": client.user, "device_id": client.device,
             "algorithms": ["m.olm.v1.curve25519-aes-sha2", "m.megolm.v1.aes-sha2"],
             "keys": {f"curve25519:{client.device}": curve_key(client.device),
                      f"ed25519:{client.device}": key.public}}
    return key.sign(client.user, client.device, value)


def one_time_key(client, key, name, **more):
    return key.sign(client.user, client.device, {"key": curve_key(name), **more})


def cross_signing(client, usage, key, master=None):
    value = {"user_id": client.user, "usage": [usage], "keys": {f"ed25519:{key.public}": key.public}}
    return master.sign(client.user, master.public, value) if master else value
