"""Loopback ports for programs that a test stops and starts again."""
import random
import socket


def free_ports(count):
    """Ports that stay free while their program is down. They are below the system's ephemeral ports, because a client that
    tries to connect would sooner or later get one of those."""
    with open("/proc/sys/net/ipv4/ip_local_port_range") as file:
        end = int(file.read().split()[0])
    candidates = random.Random().sample(range(min(10240, end // 2), end), 20 * count)
    ports = []
    for port in candidates:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        ports.append(port)
        if len(ports) == count:
            return ports
    raise SystemExit("no free ports")


def free_port():
    return free_ports(1)[0]
