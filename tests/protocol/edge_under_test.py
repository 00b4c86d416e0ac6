#!/usr/bin/python3
"""The edge as the server under test of Connect's conformance suite: deploy/edge/envoy.yaml in front of the suite's own
gRPC server.

    connectconformance --mode server … -- tests/protocol/edge_under_test.py GRPCSERVER

Reads a ServerCompatRequest from stdin, answers on stdout with the edge's address, and runs until SIGTERM. Three things
differ from envoy.yaml: the addresses; a route to the suite's service; and there are no health checks, because the
suite's server has no health service.
"""

import contextlib
import importlib.machinery
import importlib.util
import json
import pathlib
import signal
import struct
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
ROOT = pathlib.Path(__file__).resolve().parents[2]
PROTOS = pathlib.Path(__file__).resolve().parent / "third_party"


def load(name, path):
    """A script without the suffix of a module, as a module."""
    loader = importlib.machinery.SourceFileLoader(name, str(path))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    loader.exec_module(module)
    return module


edge = load("edge", ROOT / "deploy/edge/run")


def generate(folder):
    """The Python modules of the suite's messages."""
    names = ("config", "server_compat")
    subprocess.run(["protoc", "-I", PROTOS, f"--python_out={folder}",
                    *(f"connectrpc/conformance/v1/{name}.proto" for name in names)], check=True)
    sys.path.insert(0, str(folder))
    from connectrpc.conformance.v1 import config_pb2, server_compat_pb2
    return config_pb2, server_compat_pb2


def read(stream, kind):
    size, = struct.unpack(">I", stream.read(4))
    return kind.FromString(stream.read(size))


def write(stream, message):
    encoded = message.SerializeToString()
    stream.write(struct.pack(">I", len(encoded)) + encoded)
    stream.flush()


@contextlib.contextmanager
def running(*command, **options):
    process = subprocess.Popen(command, **options)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def configuration(folder, upstream):
    config = json.loads(edge.configuration(folder, *[upstream] * 3, *["127.0.0.1:0"] * 3))
    for listener in config["static_resources"]["listeners"]:
        for chain in listener["filter_chains"]:
            hosts = chain["filters"][0]["typed_config"]["route_config"]["virtual_hosts"]
            hosts[0]["routes"].insert(0, {
                "match": {"prefix": "/connectrpc.conformance.v1.ConformanceService/"},
                "route": {"cluster": "rider-service", "timeout": "0s", "idle_timeout": "15s"}})
    for cluster in config["static_resources"]["clusters"]:
        cluster.pop("health_checks", None)  # The suite's server has no health; the page has no checks.
    return json.dumps(config)


def main():
    # Everything that was started ends with this process.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hail-protocol-")))
        config_pb2, server_compat_pb2 = generate(folder)
        asked = read(sys.stdin.buffer, server_compat_pb2.ServerCompatRequest)

        server = stack.enter_context(running(sys.argv[1], stdin=subprocess.PIPE, stdout=subprocess.PIPE))
        write(server.stdin, server_compat_pb2.ServerCompatRequest(
            protocol=config_pb2.PROTOCOL_GRPC, http_version=config_pb2.HTTP_VERSION_2,
            message_receive_limit=asked.message_receive_limit))
        upstream = read(server.stdout, server_compat_pb2.ServerCompatResponse)

        edge.files.make(folder)
        (folder / "envoy.json").write_text(configuration(folder, f"{upstream.host}:{upstream.port}"))
        # Its access log goes to stdout, which is the suite's.
        envoy = stack.enter_context(running(
            edge.envoy_program(), "-c", str(folder / "envoy.json"), "--admin-address-path", str(folder / "admin"),
            "-l", "warning", "--concurrency", "1", "--disable-hot-restart",
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL))
        ports = edge.write_ports(envoy, folder / "admin", folder / "ports")
        if ports is None:
            sys.exit("Envoy did not come up")
        write(sys.stdout.buffer, server_compat_pb2.ServerCompatResponse(
            host="127.0.0.1", port=ports["tls" if asked.use_tls else "clear"],
            pem_cert=(folder / "tls.crt").read_bytes() if asked.use_tls else b""))
        while True:
            signal.pause()


if __name__ == "__main__":
    main()
