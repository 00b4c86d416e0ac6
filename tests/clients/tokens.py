"""Tokens for tests: a key made with openssl, its key set, and signed tokens (RFC 7519, RS256). Needs no package."""

import base64
import json
import pathlib
import subprocess
import time

ISSUER = "https://id.hail.test"


def _text(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Issuer:
    def __init__(self, directory):
        self._key = pathlib.Path(directory) / "issuer.pem"
        self.keys = pathlib.Path(directory) / "keys.json"
        subprocess.run(["openssl", "genpkey", "-quiet", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048",
                        "-out", self._key], check=True)
        modulus = subprocess.run(["openssl", "rsa", "-in", self._key, "-modulus", "-noout"],
                                 check=True, capture_output=True, text=True).stdout.strip().partition("=")[2]
        public = {"kty": "RSA", "n": _text(bytes.fromhex(modulus)), "e": "AQAB"}
        self.keys.write_text(json.dumps({"keys": [{"kid": "test", "use": "sig", "alg": "RS256", **public}]}))

    def settings(self):
        """Of a service that takes its tokens."""
        return {"auth.mode": "tokens", "auth.keys": self.keys, "auth.issuer": ISSUER}

    def token(self, role, subject, seconds=1800, kid="test", **claims):
        """For the service of riders or drivers, by the role; others say `aud`. `kid`: what it calls its key."""
        now = int(time.time())
        parts = [{"alg": "RS256", "kid": kid, "typ": "JWT"},
                 {"iss": ISSUER, "aud": f"hail-{role}", "sub": subject, "role": role, "iat": now, "exp": now + seconds,
                  **claims}]
        signed = ".".join(_text(json.dumps(part).encode()) for part in parts)
        signature = subprocess.run(["openssl", "dgst", "-sha256", "-sign", self._key], check=True, capture_output=True,
                                   input=signed.encode()).stdout
        return f"{signed}.{_text(signature)}"
