#!/usr/bin/python3
"""The files of an edge: descriptors of the contract, and for development keys, a certificate and tokens.

    deploy/edge/files.py make                     what is missing; the descriptors anew
    deploy/edge/files.py descriptors FILE         the descriptors alone
    deploy/edge/files.py services FOLDER          an authority and certificates of services, edge and operators (mTLS)
    deploy/edge/files.py hand-out FOLDER PARTY …  all of it, and to each party its own files in FOLDER/PARTY (compose)
    deploy/edge/files.py token rider ada          prints a token for a rider or driver, for an hour
    deploy/edge/files.py page ada grace           prints the address of the page with a rider and a driver signed in

The folder is build/edge, or HAIL_EDGE_FILES. Needs protoc, python3-cryptography and python3-jwt (deploy/apt-packages.txt).
"""

import argparse
import base64
import datetime
import ipaddress
import json
import os
import pathlib
import secrets
import subprocess
import sys

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = pathlib.Path(os.environ.get("HAIL_EDGE_FILES") or ROOT / "build/edge")
ISSUER = "https://id.hail.example"
KEY_ID = "development"
# Seconds. The services refuse tokens that live longer.
LONGEST = 3600
# A server's token is for both services, and for all riders and drivers.
SERVER = {"aud": ["hail-rider", "hail-driver"], "authorization": {"rider_id": "*", "driver_id": "*", "ride_id": "*"}}
# The names under which the edge is reached, for the certificate.
NAMES = ("localhost", "edge")
# Who is who between the services (docs/security.md).
PARTIES = ("rider-service", "driver-service", "edge", "operator")
CLIENTS = ("edge", "operator")
# What a cluster of them uses (deploy/compose.cluster.yml).
ENGINES = ("postgres", "nats")
TRUST_DOMAIN = "hail"
# How a key or an authority is replaced without a refused call: the new one is trusted, then used, then the old one is
# no longer trusted (docs/security.md).
STEPS = ("add", "use", "remove")
# Programs that play people, and therefore sign tokens: a simulated city, a command line.
APPS = "apps"
# Certificates that end within this time are made anew before they are handed out.
RENEW_BEFORE = datetime.timedelta(days=30)


def write(path, content, mode=0o644):
    """At once, and never readable by more than `mode` says."""
    partial = path.with_name(path.name + ".partial")
    partial.unlink(missing_ok=True)
    with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
    partial.rename(path)


def make_descriptors(path):
    """All of the contract that clients see, and the details of errors, which JSON clients get as typed JSON."""
    partial = path.with_name(path.name + ".partial")
    subprocess.run(
        ["protoc", "-I", ROOT / "proto", "-I", ROOT / "proto/third_party", "--include_imports",
         f"--descriptor_set_out={partial}", "hail/rider/v1/rider_service.proto", "hail/driver/v1/driver_service.proto",
         "google/rpc/error_details.proto"], check=True)
    partial.rename(path)


def pem(key):
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def make_certificate(folder):
    """A certificate that signs itself: clients of this machine take it as their root."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Hail, development")])
    now = datetime.datetime.now(datetime.timezone.utc)
    addresses = [x509.DNSName(name) for name in NAMES] + [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1)).not_valid_after(now + datetime.timedelta(days=365))
        .add_extension(x509.SubjectAlternativeName(addresses), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256()))
    write(folder / "tls.key", pem(key), 0o600)
    write(folder / "tls.crt", certificate.public_bytes(serialization.Encoding.PEM))


def new_authority():
    key = ec.generate_private_key(ec.SECP256R1())
    # Each has a name of its own, by which a certificate says who signed it.
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Hail, development authority {secrets.token_hex(4)}")])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1)).not_valid_after(now + datetime.timedelta(days=3650))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256()))
    return pem(key), certificate.public_bytes(serialization.Encoding.PEM)


def make_authority(folder):
    """The key of the authority in `folder`, and its certificate, which is the first one in ca.crt; new ones if there are
    none."""
    key_file, certificate_file = folder / "ca.key", folder / "ca.crt"
    if not (key_file.exists() and certificate_file.exists()):
        key, certificate = new_authority()
        write(key_file, key, 0o600)
        write(certificate_file, certificate)
    return (serialization.load_pem_private_key(key_file.read_bytes(), None),
            x509.load_pem_x509_certificate(certificate_file.read_bytes()))


def change_authority(folder, step):
    """One of STEPS towards a new authority. `add`: all parties trust it, too. `use`: it signs a new certificate for each.
    `remove`: nobody trusts the old one any more."""
    trusted, next_key, next_certificate = folder / "ca.crt", folder / "ca-next.key", folder / "ca-next.crt"
    if step == "add":
        key, certificate = new_authority()
        write(next_key, key, 0o600)
        write(next_certificate, certificate)
        write(trusted, trusted.read_bytes() + certificate)
    elif step == "use":
        old = x509.load_pem_x509_certificate(trusted.read_bytes()).public_bytes(serialization.Encoding.PEM)
        write(trusted, next_certificate.read_bytes() + old)
        next_key.rename(folder / "ca.key")
    else:
        next_certificate.rename(trusted)
    for party in sorted(file.parent.name for file in folder.glob("*/tls.crt")):
        if step == "use":
            make_party(folder, party, make_authority(folder))
        else:
            write(folder / party / "ca.crt", trusted.read_bytes())


def make_party(folder, party, authority, days=90):
    """The key and certificate of one party. Its URI says who it is; its host names are those of compose and Kubernetes,
    and this machine's, for clients that check the host."""
    signer, issuer = authority
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.timezone.utc)
    names = [x509.UniformResourceIdentifier(f"spiffe://{TRUST_DOMAIN}/{party}"), x509.DNSName(party)]
    if party not in CLIENTS:
        names += [x509.DNSName(f"{party}-internal"), x509.DNSName("localhost"),
                  x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    certificate = (
        x509.CertificateBuilder().subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, party)]))
        .issuer_name(issuer.subject).public_key(key.public_key()).serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1)).not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        .sign(signer, hashes.SHA256()))
    trusted = (folder / "ca.crt").read_bytes()
    folder = folder / party
    folder.mkdir(mode=0o700, exist_ok=True)
    write(folder / "ca.crt", trusted)
    write(folder / "tls.key", pem(key), 0o600)
    write(folder / "tls.crt", certificate.public_bytes(serialization.Encoding.PEM))


def make_services(folder, days=90, renew=(), parties=PARTIES):
    """The authority and the certificates that `folder` does not have; new ones for the parties in `renew`. A folder each,
    with the files that a Secret of Kubernetes has: ca.crt, tls.crt, tls.key."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    authority = make_authority(folder)
    for party in parties:
        if party in renew or not (folder / party / "tls.crt").exists():
            make_party(folder, party, authority, days)


def public_numbers(key):
    """As a JWK has them."""
    numbers = key.public_key().public_numbers()
    return {name: base64.urlsafe_b64encode(number.to_bytes(32, "big")).rstrip(b"=").decode()
            for name, number in (("x", numbers.x), ("y", numbers.y))}


def jwk(key, key_id):
    return {"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": key_id, **public_numbers(key)}


def write_token_keys(folder, keys):
    write(folder / "jwks.json", json.dumps({"keys": keys}).encode())


def make_token_key(folder):
    """The key that signs tokens, and its public half as the services and the edge read it."""
    key = ec.generate_private_key(ec.SECP256R1())
    write(folder / "token.key", pem(key), 0o600)
    write_token_keys(folder, [jwk(key, KEY_ID)])


def change_token_key(folder, step):
    """One of STEPS towards a new key that signs tokens."""
    keys = json.loads((folder / "jwks.json").read_bytes())["keys"]
    if step == "add":
        key = ec.generate_private_key(ec.SECP256R1())
        write(folder / "token-next.key", pem(key), 0o600)
        write_token_keys(folder, [*keys, jwk(key, f"{KEY_ID}-{secrets.token_hex(4)}")])
    elif step == "use":
        (folder / "token-next.key").rename(folder / "token.key")
    else:
        write_token_keys(folder, keys[-1:])


def token_key(folder):
    """The key that signs tokens (PEM), and what the set beside it calls it."""
    text = (folder / "token.key").read_bytes()
    own = public_numbers(serialization.load_pem_private_key(text, None))
    keys = json.loads((folder / "jwks.json").read_bytes())["keys"]
    return text, next((key["kid"] for key in keys if key["x"] == own["x"]), KEY_ID)


def make(folder):
    """Makes what is missing in `folder`. The descriptors are always made, because the contract may have changed."""
    folder.mkdir(parents=True, exist_ok=True)
    make_descriptors(folder / "hail.binpb")
    if not (folder / "tls.crt").exists():
        make_certificate(folder)
    if not (folder / "jwks.json").exists():
        make_token_key(folder)


def is_due(certificate):
    """Whether there is none, or one that ends soon."""
    if not certificate.exists():
        return True
    end = x509.load_pem_x509_certificate(certificate.read_bytes()).not_valid_after.replace(tzinfo=datetime.timezone.utc)
    return end - datetime.datetime.now(datetime.timezone.utc) < RENEW_BEFORE


def belongings(folder, party):
    """What a party gets of the files in `folder`, and nobody else: {name: files, one after the other}."""
    if party == APPS:
        return {"tokens/token.key": [folder / "token.key"]}
    own = {name: [folder / "services" / party / name] for name in ("ca.crt", "tls.crt", "tls.key")}
    if party == "nats":
        # As deploy/nats.conf names them.
        return {f"nats/{name.replace('tls', 'nats')}": file for name, file in own.items()}
    found = {f"tls/{name}": file for name, file in own.items()}
    if party.endswith("-service"):
        found["tokens/jwks.json"] = [folder / "jwks.json"]
    elif party == "edge":
        found |= {f"edge/{name}": [folder / name] for name in ("hail.binpb", "jwks.json", "tls.crt", "tls.key")}
    elif party == "operator":
        # For programs that call the services and, as apps do, the edge.
        found["tls/all-ca.crt"] = [*own["ca.crt"], folder / "tls.crt"]
    return found


def hand_out(folder, places, parties):
    """Makes what is missing in `folder`, and gives each party its own files in `places`/PARTY. The keys of the authority
    and of tokens stay in `folder`; only those who play people get the latter. A file that is the same is left alone."""
    make(folder)
    services = folder / "services"
    named = [party for party in parties if party != APPS]
    make_services(services, renew=[party for party in named if is_due(services / party / "tls.crt")], parties=named)
    for party in parties:
        # PostgreSQL has a user of its own, and reads its files as a member of this one's group.
        group = 0o050 if party == "postgres" else 0
        for name, sources in belongings(folder, party).items():
            place = places / party / name
            place.parent.mkdir(mode=0o700 | group, parents=True, exist_ok=True)
            content = b"".join(source.read_bytes() for source in sources)
            if not place.exists() or place.read_bytes() != content:
                write(place, content, sources[0].stat().st_mode & 0o777 | group & 0o040)


def token(folder, role, subject, seconds=LONGEST, **claims):
    """A token for the rider or driver with the id `subject`, or for a server that acts for everybody. `claims` override the
    usual ones, for tests."""
    now = int(datetime.datetime.now(datetime.timezone.utc).timestamp())
    key, key_id = token_key(folder)
    return jwt.encode(
        {"iss": ISSUER, "aud": f"hail-{role}", "sub": subject, "role": role, "iat": now, "exp": now + seconds,
         **(SERVER if role == "server" else {}), **claims},
        key, algorithm="ES256", headers={"kid": key_id})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("make")
    commands.add_parser("descriptors").add_argument("file", type=pathlib.Path)
    services = commands.add_parser("services")
    services.add_argument("folder", type=pathlib.Path, help="gets ca.crt and ca.key of the authority, and a folder for each party: ca.crt, tls.crt, tls.key")
    services.add_argument("--days", type=int, default=90, help="until new certificates expire (90)")
    services.add_argument("--renew", action="append", default=[], choices=(*PARTIES, *ENGINES), help="replace this party's; again and again")
    services.add_argument("--authority", choices=STEPS, help="a step towards a new authority: everybody trusts it, too; it signs new certificates; nobody trusts the old one")
    handing = commands.add_parser("hand-out")
    handing.add_argument("places", type=pathlib.Path, help="has a folder for each party, or gets it")
    everybody = (*PARTIES, *ENGINES, APPS)
    handing.add_argument("parties", nargs="+", choices=everybody, metavar="party", help=", ".join(everybody))
    one = commands.add_parser("token")
    one.add_argument("role", choices=("rider", "driver", "server"))
    one.add_argument("subject", help="the rider's or driver's id, or the server's name")
    one.add_argument("--seconds", type=int, default=LONGEST, help="until it expires (an hour, and no more)")
    page = commands.add_parser("page")
    page.add_argument("rider", help="the rider's id")
    page.add_argument("driver", help="the driver's id")
    page.add_argument("--edge", default="http://localhost:8080", help="the edge's address (http://localhost:8080)")
    arguments = parser.parse_args()
    if arguments.command == "make":
        make(FOLDER)
    elif arguments.command == "descriptors":
        make_descriptors(arguments.file)
    elif arguments.command == "services":
        make_services(arguments.folder, arguments.days, arguments.renew, dict.fromkeys((*PARTIES, *arguments.renew)))
        if arguments.authority:
            change_authority(arguments.folder, arguments.authority)
    elif arguments.command == "hand-out":
        hand_out(FOLDER, arguments.places, arguments.parties)
    elif not (FOLDER / "token.key").exists():
        sys.exit(f"no keys in {FOLDER}: start the edge first (make edge)")
    elif arguments.command == "token":
        print(token(FOLDER, arguments.role, arguments.subject, arguments.seconds))
    else:
        tokens = "".join(f"&token={token(FOLDER, role, getattr(arguments, role))}" for role in ("rider", "driver"))
        # Behind the #: no server sees it.
        print(f"{arguments.edge}/console/#both{tokens}")


if __name__ == "__main__":
    main()
