"""Platform tokens, good ones and forged ones."""

import base64
import hashlib
import hmac
import json

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def b64_json(value):
    return b64(json.dumps(value, separators=(",", ":")).encode())


def unb64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def sign_hs256(key, data):
    return hmac.new(key, data, hashlib.sha256).digest()


def sign_rs256(key, data):
    return key.sign(data, padding.PKCS1v15(), hashes.SHA256())


def sign_es256(key, data):
    r, s = decode_dss_signature(key.sign(data, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


SIGNERS = {"HS256": sign_hs256, "RS256": sign_rs256, "ES256": sign_es256}


def encode(claims, key, alg="HS256", header=None, signer=None):
    """A token whose header says ALG, signed with SIGNER's algorithm (ALG's by default)."""
    text = f"{b64_json({'alg': alg, 'typ': 'JWT', **(header or {})})}.{b64_json(claims)}"
    return f"{text}.{b64(SIGNERS[signer or alg](key, text.encode()))}"


def rsa_key(bits=2048):
    return rsa.generate_private_key(65537, bits)


def ec_key():
    return ec.generate_private_key(ec.SECP256R1())


def public_pem(key):
    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def _b64_int(number, size=None):
    return b64(number.to_bytes(size or (number.bit_length() + 7) // 8, "big"))


def rsa_jwk(key, kid):
    n = key.public_key().public_numbers()
    return {"kty": "RSA", "kid": kid, "use": "sig", "alg": "RS256", "n": _b64_int(n.n), "e": _b64_int(n.e)}


def ec_jwk(key, kid):
    n = key.public_key().public_numbers()
    return {"kty": "EC", "crv": "P-256", "kid": kid, "use": "sig", "x": _b64_int(n.x, 32), "y": _b64_int(n.y, 32)}
