#!/usr/bin/python3
"""Every certificate, key and password is replaced while a city goes on, as docs/security.md says.

Two replicas of each service on PostgreSQL and NATS under hail-sim, with TLS, tokens and a password everywhere
(cluster.py). In this order:

- new certificates for all: services, edge, PostgreSQL, NATS. Before that, a key that fits no certificate;
- another authority: trusted, used, the old one removed, with replicas replaced where the bus needs it;
- another key that signs tokens: published, used, the old one removed. rider-service reads the key set from a file,
  driver-service from an https address. Before that, the file is garbage, and the address gone, garbage, and silent;
- another password of the database; all its connections are ended.

After each step a new connection or call shows its effect, and what is old is refused once it must be. What is damaged
changes nothing, and the log says so. No call of the city may be refused for good, and no event may be missed. hail-check
judges the clients' ledgers and the stores.

Exit status: 0 if all holds.
"""
import argparse
import os
import pathlib
import shutil
import socket
import ssl
import struct
import subprocess
import sys
import time
import urllib.request

import grpc
import jwt
from cryptography import x509

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from cluster import City, Failure, Secured, add_city_options, files, host_and_port, trial  # noqa: E402
from key_server import GARBAGE, GONE, SLOW, KeyServer  # noqa: E402

# HTTP/2's, and empty settings.
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\x04" + bytes(5)
# GetActiveRide and GetDriverState of the person "x".
READS = {"rider": "/hail.rider.v1.RiderService/GetActiveRide", "driver": "/hail.driver.v1.DriverService/GetDriverState"}
ONE = b"\x0a\x01x"


def serial(certificate):
    return x509.load_pem_x509_certificate(certificate.read_bytes()).serial_number


def shown(address, own, ca, ask=lambda plain: None, hello=PREFACE):
    """The serial number of the certificate that the server shows to the party with the folder `own`. OSError: one of the
    two refuses the other. `ask`: what comes before TLS; `hello`: the first message in it, which has an answer."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(ca)
    context.load_cert_chain(own / "tls.crt", own / "tls.key")
    context.set_alpn_protocols(["h2"])
    with socket.create_connection(host_and_port(address), timeout=30) as plain:
        ask(plain)
        with context.wrap_socket(plain) as secure:
            number = x509.load_der_x509_certificate(secure.getpeercert(True)).serial_number
            if hello:
                # With TLS 1.3 a client learns of its refusal only now.
                secure.sendall(hello)
                if not secure.recv(1):
                    raise ConnectionError("closed")
            return number


def ask_postgres(plain):
    plain.sendall(struct.pack("!ii", 8, 80877103))
    if plain.recv(1) != b"S":
        raise ConnectionError("no TLS")


def ask_nats(plain):
    while not plain.recv(4096).endswith(b"\r\n"):
        pass


def await_that(holds, what, seconds=60):
    give_up = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > give_up:
            raise Failure(f"after {seconds} s this does not hold: {what}")
        time.sleep(0.1)


def must(holds, what):
    if not holds:
        raise Failure(f"this does not hold: {what}")


class Rotated(City):
    def __init__(self, options, directory):
        # The issuer has an authority of its own, and the tokens' keys of all.
        self.issuer = KeyServer(directory / "secured/tokens/jwks.json", Secured(directory / "issuer").server("issuer"))
        super().__init__(options, directory, options.bin)
        # Copies of what is replaced.
        self.old = directory / "old"

    def secured_settings(self, replica):
        settings = super().secured_settings(replica)
        if replica.kind == "driver":
            settings |= {"auth.keys": self.issuer.url, "auth.keys_ca": self.issuer.ca}
        return settings

    # --- What is in effect ---

    def logged(self, replica, event):
        return pathlib.Path(replica.service.log.name).read_text(errors="replace").count(f'"event":"{event}"')

    def await_log(self, event, damage, kinds):
        """Does damage, and waits until the replicas of these kinds report it."""
        replicas = [replica for replica in self.replicas if replica.kind in kinds]
        before = [self.logged(replica, event) for replica in replicas]
        damage()
        await_that(lambda: all(self.logged(replica, event) > count for replica, count in zip(replicas, before)),
                   f"{', '.join(replica.name for replica in replicas)} report {event}")

    def metric(self, replica, name):
        with urllib.request.urlopen(f"http://{replica.service.metrics}/metrics", timeout=30) as reply:
            for line in reply.read().decode().splitlines():
                if line.startswith(f"hail_{replica.kind}_{name} "):
                    return float(line.split()[1])
        raise Failure(f"{replica.name} has no {name}")

    def await_keys(self, count):
        def there():
            self.call_with_unknown_key()
            return all(self.metric(replica, "auth_keys") == count for replica in self.replicas)
        await_that(there, f"all replicas have {count} keys of tokens", 90)

    def await_reads_of_address(self, outcome):
        def reads():
            return [self.metric(replica, f'auth_key_reads_total{{outcome="{outcome}"}}')
                    for replica in self.replicas if replica.kind == "driver"]
        before = reads()

        def all_read():
            self.call_with_unknown_key()
            return all(now > then for now, then in zip(reads(), before))
        await_that(all_read, f"all replicas of driver-service read the address: {outcome}", 90)

    def call_with_unknown_key(self):
        """Then a service looks at the https address, if it has not for 30 s, and before Cache-Control says."""
        token = jwt.encode({"sub": "x"}, (self.secured.tokens / "token.key").read_bytes(), "ES256", {"kid": "unknown"})
        for replica in self.replicas:
            if replica.kind == "driver":
                self.code(replica, token)

    def certificate(self, party):
        return self.secured.tls / party / "tls.crt"

    def shown_to(self, own, replica):
        return shown(replica.service.address, own, self.secured.tls / "ca.crt")

    def shown_by_postgres(self):
        return shown(f"127.0.0.1:{self.postgres.port}", self.secured.tls / "rider-service", self.secured.tls / "ca.crt",
                     ask_postgres, hello=None)

    def shown_by_nats(self, own=None):
        return shown(self.nats.address, own or self.secured.tls / "rider-service", self.secured.tls / "ca.crt", ask_nats,
                     b"CONNECT {}\r\nPING\r\n")

    def await_new_certificates(self):
        """At the engines, which read theirs when asked, and at all replicas, which look each second."""
        self.postgres.read_certificate()
        self.nats.read_certificate()
        for replica in self.replicas:
            new = serial(self.certificate(f"{replica.kind}-service"))
            await_that(lambda replica=replica, new=new:
                       self.shown_to(self.secured.tls / "edge", replica) == new, f"{replica.name} shows its new certificate")
        await_that(lambda: self.shown_by_postgres() == serial(self.certificate("postgres")), "PostgreSQL shows its new one")
        await_that(lambda: self.shown_by_nats() == serial(self.certificate("nats")), "NATS shows its new one")

    def code(self, replica, token):
        with grpc.secure_channel(replica.service.address, self.secured.credentials()) as channel:
            try:
                channel.unary_unary(READS[replica.kind])(ONE, metadata=[("authorization", f"Bearer {token}")], timeout=30)
                return grpc.StatusCode.OK
            except grpc.RpcError as error:
                return error.code()

    def accepted(self, token):
        """Whether the token counts at each replica."""
        codes = [self.code(replica, token) for replica in self.replicas]
        must(not set(codes) & {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}, f"the replicas answer: {codes}")
        return [code != grpc.StatusCode.UNAUTHENTICATED for code in codes]

    def password_counts(self, password):
        connected = subprocess.run(
            ["psql", f"host=127.0.0.1 port={self.postgres.port} user=hail dbname=postgres sslmode=require", "-c", "SELECT 1"],
            env={**os.environ, "PGPASSWORD": password}, capture_output=True, text=True, check=False)
        must(connected.returncode == 0 or "password authentication failed" in connected.stderr, connected.stderr)
        return connected.returncode == 0

    # --- Rotations ---

    def replace_all(self):
        for replica in self.replicas:
            self.say(f"replace {replica.name}")
            self.stop(replica)
            replica.service.start()
            self.check_running()

    def certificates(self):
        self.say("keys that fit no certificate: nothing changes")
        damaged = {party: self.secured.tls / party / "tls.key" for party in ("rider-service", "driver-service")}
        kept = {party: file.read_bytes() for party, file in damaged.items()}

        def damage():
            for file in damaged.values():
                files.write(file, (self.secured.tls / "operator/tls.key").read_bytes(), 0o600)
        self.await_log("tls_not_reloaded", damage, ("rider", "driver"))
        for replica in self.replicas:
            must(self.shown_to(self.secured.tls / "edge", replica) == serial(self.certificate(f"{replica.kind}-service")),
                 f"{replica.name} shows the certificate that it had")
        for party, file in damaged.items():
            files.write(file, kept[party], 0o600)
        self.say("new certificates for all")
        for party in (*files.PARTIES, "postgres", "nats"):
            files.make_party(self.secured.tls, party, files.make_authority(self.secured.tls))
        self.await_new_certificates()
        # NATS's clients read theirs at their start.
        self.replace_all()

    def authority(self):
        shutil.copytree(self.secured.tls, self.old)
        self.say("both authorities are trusted")
        self.await_log("tls_reloaded", lambda: files.change_authority(self.secured.tls, "add"), ("rider", "driver"))
        self.nats.read_certificate()
        self.replace_all()
        self.say("the new one signs")
        files.change_authority(self.secured.tls, "use")
        self.await_new_certificates()
        for replica in self.replicas:
            self.shown_to(self.old / "edge", replica)
        self.replace_all()
        self.say("the old one is not trusted any more")
        self.await_log("tls_reloaded", lambda: files.change_authority(self.secured.tls, "remove"), ("rider", "driver"))
        self.nats.read_certificate()
        self.await_new_certificates()
        for replica in self.replicas:
            self.await_refused(lambda replica=replica: self.shown_to(self.old / "edge", replica), replica.name)
        self.await_refused(lambda: self.shown_by_nats(self.old / "rider-service"), "NATS")
        # Connections from before end only now.
        self.replace_all()

    def await_refused(self, connect, who):
        def refused():
            try:
                connect()
            except OSError:
                return True
            return False
        await_that(refused, f"{who} refuses a certificate of the old authority")

    def token_key(self):
        tokens = self.secured.tokens
        good = (tokens / "jwks.json").read_bytes()
        old = self.secured.token("server", "trial")
        self.say("a key set that is garbage: nothing changes")
        self.await_log("keys_not_read", lambda: files.write(tokens / "jwks.json", b"garbage"), ("rider",))
        must(all(self.accepted(old)), "all accept a token while the key set is garbage")
        files.write(tokens / "jwks.json", good)
        for fault in (GONE, GARBAGE, SLOW):
            self.say(f"the issuer's address is {fault}: nothing changes")
            self.issuer.set_fault(fault)
            self.await_reads_of_address("failed")
            must(all(self.accepted(old)), "all accept a token meanwhile")
        self.say("the issuer's address answers again")
        self.issuer.set_fault(None)
        self.await_reads_of_address("ok")
        self.say("the new key is published")
        files.change_token_key(tokens, "add")
        self.await_keys(2)
        self.say("the new key signs")
        files.change_token_key(tokens, "use")
        new = self.secured.token("server", "trial")
        must(all(self.accepted(old)) and all(self.accepted(new)), "all accept tokens of both keys")
        self.wait(2, 4)
        self.say("the old key is removed")
        files.change_token_key(tokens, "remove")
        self.await_keys(1)
        await_that(lambda: not any(self.accepted(old)), "all refuse tokens of the old key")
        must(all(self.accepted(new)), "all accept tokens of the new key")

    def password(self):
        old = self.password_file.read_text()
        must(self.password_counts(old), "the password counts")
        self.say("a new password of the database; all connections end")
        new = self.new_password()
        self.postgres.set_password(new)
        since, = self.postgres.rows("SELECT now()")[0]
        clients = "FROM pg_stat_activity WHERE client_addr IS NOT NULL"
        self.postgres.psql("-c", f"SELECT pg_terminate_backend(pid) {clients}")
        must(not self.password_counts(old) and self.password_counts(new), "the new password counts, the old one does not")
        await_that(lambda: int(self.postgres.rows(
            f"SELECT count(*) {clients} AND backend_start > '{since}'")[0][0]) >= len(self.replicas),
            "the replicas connect with the new password")

    def carry_out(self):
        self.print_heading()
        await_that(lambda: int(self.postgres.rows("SELECT count(*) FROM hail_rider.rides WHERE state < 7")[0][0]) > 20,
                   "20 rides are under way", 120)
        for rotate in (self.certificates, self.authority, self.token_key, self.password):
            self.check_running()
            rotate()
        self.wait(3, 5)
        self.check_running()
        self.say("all is replaced")

    def end(self):
        super().end()
        self.issuer.stop()

    def come_to_rest(self):
        wrong = super().come_to_rest(refusals=False)
        if self.report["missed_events"]:
            wrong.append(f"{self.report['missed_events']} events missed")
        print(f"{self.options.rider_replicas} + {self.options.driver_replicas} replicas, {time.time() - self.begin:.0f} s")
        return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_city_options(parser, 2, speed=20, length=240, drivers=150, rides=1000)
    parser.set_defaults(clear=False)
    options = parser.parse_args()
    return trial.run("rotation", options.keep, lambda directory: Rotated(options, directory))


if __name__ == "__main__":
    sys.exit(main())
