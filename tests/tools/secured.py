"""Certificates, token keys and settings of secured services, for tests and tools.

    secured = Secured(directory / "secured")
    two_services(binaries, directory, shared, secured=secured)
    subprocess.run(["hail-sim", "--rider", rider, "--driver", driver, *secured.flags()])
    grpc.secure_channel(address, secured.credentials(token=secured.token("rider", "ada")))

Clients go directly to the services' public ports, as the edge does: with its certificate, and with tokens. Everything
is made by deploy/edge/files.py, whose functions renew and replace it while services run:

    files.make_services(secured.tls, renew=files.PARTIES)      new certificates
    files.change_authority(secured.tls, step)                  a new authority, in three steps
    files.change_token_key(secured.tokens, step)               a new key that signs tokens, in three steps

Needs python3-cryptography and python3-jwt.
"""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "deploy/edge"))
import files  # noqa: E402

OTHER = {"rider": "driver", "driver": "rider"}


class Secured:
    def __init__(self, folder):
        """Makes in `folder` what is missing there: tls/PARTY/{ca.crt,tls.crt,tls.key} for each of files.PARTIES, and
        tokens/{token.key,jwks.json}."""
        self.tls = folder / "tls"
        self.tokens = folder / "tokens"
        files.make_services(self.tls)
        self.tokens.mkdir(mode=0o700, exist_ok=True)
        if not (self.tokens / "jwks.json").exists():
            files.make_token_key(self.tokens)

    def settings(self, kind):
        """Of the service `kind`, "rider" or "driver": certificates, names and tokens."""
        return {**self.tls_settings(kind), **self.auth_settings()}

    def tls_settings(self, kind):
        own = self.tls / f"{kind}-service"
        return {"tls.certificate": own / "tls.crt", "tls.key": own / "tls.key", "tls.ca": own / "ca.crt",
                "tls.edges": "spiffe://hail/edge", "tls.peers": f"spiffe://hail/{OTHER[kind]}-service",
                "tls.operators": "spiffe://hail/operator", "health_listen": "127.0.0.1:0"}

    def auth_settings(self):
        return {"auth.mode": "tokens", "auth.keys": self.tokens / "jwks.json", "auth.issuer": files.ISSUER}

    def bus_settings(self, kind):
        """For a NATS whose certificate the same authority signed."""
        own = self.tls / f"{kind}-service"
        return {"bus.ca": own / "ca.crt", "bus.certificate": own / "tls.crt", "bus.key": own / "tls.key"}

    def flags(self, party="edge"):
        """Of hail-sim, hail-load and hailctl: they sign a token for each rider and driver."""
        return [*self.tls_flags(party), "--token-key", str(self.tokens)]

    def tls_flags(self, party="edge"):
        """The same without tokens."""
        own = self.tls / party
        return ["--tls-ca", str(own / "ca.crt"), "--tls-certificate", str(own / "tls.crt"), "--tls-key",
                str(own / "tls.key"), "--tls-server-name", "spiffe://hail/rider-service,spiffe://hail/driver-service"]

    def token(self, role, subject, **claims):
        """For a rider, a driver, or a server, which acts for all."""
        return files.token(self.tokens, role, subject, **claims)

    def credentials(self, party="edge", token=None):
        """Of a gRPC channel of Python, with the certificate that the party has now. `token`: for each of its calls."""
        # Only here: most users start programs and need no gRPC.
        import grpc
        own = self.tls / party
        tls = grpc.ssl_channel_credentials(*((own / name).read_bytes() for name in ("ca.crt", "tls.key", "tls.crt")))
        return grpc.composite_channel_credentials(tls, grpc.access_token_call_credentials(token)) if token else tls

    def server(self, party):
        """The folder with the certificate of a further server of this machine, such as nats; made at the first call."""
        if not (self.tls / party / "tls.crt").exists():
            files.make_party(self.tls, party, files.make_authority(self.tls))
        return self.tls / party
