"""A PostgreSQL of Debian's package with temporary data, for tools and tests."""
import csv
import glob
import io
import os
import pathlib
import pwd
import sqlite3
import subprocess

# The columns that hail-check reads of each service's store.
TABLES = {"rider": {"rides": "ride_id rider_id request_id driver_id state sequence epoch",
                    "events": "ride_id sequence type epoch state driver_id driver_sequence ended event_time_us"},
          "driver": {"offers": "offer_id ride_id epoch driver_id outcome"}}
TEXTS = {"ride_id", "rider_id", "request_id", "driver_id", "offer_id", "outcome"}


def export(rows, service, path):
    """Copies the rows of a service's store that hail-check reads into an SQLite file. `rows`: as Postgres.rows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with sqlite3.connect(path) as file:
        for table, columns in TABLES[service].items():
            names = columns.split()
            typed = ", ".join(f"{name} {'TEXT' if name in TEXTS else 'INTEGER'}" for name in names)
            file.execute(f"CREATE TABLE {table} ({typed})")
            file.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(names))})",
                             rows(f"SELECT {', '.join(names)} FROM hail_{service}.{table}"))


class Postgres:
    """Runs from its construction until stop(). FileNotFoundError if it is not installed."""

    def __init__(self, directory, settings="", port=None, certificate=None):
        """`directory` must exist; this makes it accessible to all users. `settings`: lines of postgresql.conf. `port`: a
        port of 127.0.0.1 to listen on, besides the socket. `certificate`: a folder with tls.crt and tls.key. Then
        connections to the port need TLS and a password (set_password)."""
        found = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
        if not found:
            raise FileNotFoundError("PostgreSQL is not installed")
        self.bin = pathlib.Path(found[-1])
        self.data = directory / "pg"
        self.data.mkdir()
        self.port = port or 5432
        self._user = None
        if os.getuid() == 0:
            # PostgreSQL refuses to run as root.
            self._user = "postgres"
            os.chown(self.data, pwd.getpwnam("postgres").pw_uid, -1)
            directory.chmod(0o755)
        self._run("initdb", "-D", self.data, "-A", "trust", "-U", "hail", "--no-instructions")
        with open(self.data / "postgresql.conf", "a", encoding="ascii") as file:
            file.write(f"listen_addresses = '{'127.0.0.1' if port else ''}'\nport = {self.port}\n"
                       "max_connections = 300\n"
                       f"unix_socket_directories = '{self.data}'\n{settings}")
        self._certificate = certificate
        if certificate:
            with open(self.data / "postgresql.conf", "a", encoding="ascii") as file:
                file.write("\nssl = on\npassword_encryption = 'scram-sha-256'\n")
            (self.data / "pg_hba.conf").write_text("local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n")
            self._copy_certificate()
        self.start()

    def _copy_certificate(self):
        """As PostgreSQL wants it: server.crt and server.key, which must be its own."""
        for name in ("crt", "key"):
            partial = self.data / f"new.{name}"
            partial.write_bytes((self._certificate / f"tls.{name}").read_bytes())
            partial.chmod(0o600)
            if self._user:
                os.chown(partial, pwd.getpwnam(self._user).pw_uid, -1)
            partial.rename(self.data / f"server.{name}")

    def read_certificate(self):
        """Replaced files are used for new connections."""
        self._copy_certificate()
        self.psql("-c", "SELECT pg_reload_conf()")

    def set_password(self, password):
        self.psql("-c", f"ALTER ROLE hail PASSWORD '{password}'")

    def _run(self, program, *arguments):
        command = [str(self.bin / program), *map(str, arguments)]
        if self._user:
            command = ["runuser", "-u", self._user, "--", *command]
        try:
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        except subprocess.CalledProcessError as failure:
            failure.add_note(failure.stderr)
            raise

    @property
    def url(self):
        """For store.url."""
        return f"postgres://hail@/postgres?host={self.data}"

    def psql(self, *arguments):
        """psql's output."""
        return subprocess.run(["psql", "-h", str(self.data), "-p", str(self.port), "-U", "hail", "-q", "-v", "ON_ERROR_STOP=1", "postgres",
                               *map(str, arguments)], check=True, capture_output=True, text=True).stdout

    def rows(self, select):
        """The rows of a SELECT, as text; None for NULL."""
        text = self.psql("-c", f"COPY ({select}) TO STDOUT (FORMAT csv, NULL '\\N')")
        return [[None if value == "\\N" else value for value in row] for row in csv.reader(io.StringIO(text))]

    def dump(self):
        """A dump of the database, as SQL for psql of this version and later ones."""
        sql = subprocess.run([str(self.bin / "pg_dump"), "-h", str(self.data), "-p", str(self.port), "-U", "hail",
                              "--no-owner", "--no-privileges", "postgres"], check=True, stdout=subprocess.PIPE).stdout
        # psql knows these commands since 15.14 only.
        return b"".join(line for line in sql.splitlines(keepends=True)
                        if not line.startswith((b"\\restrict ", b"\\unrestrict ")))

    def export(self, service, path):
        export(self.rows, service, path)

    def stop(self, mode="immediate", wait=True):
        """`mode`: of pg_ctl. immediate: like a crash. No effect if the server does not run."""
        if self.running():
            self._run("pg_ctl", "-D", self.data, "-m", mode, "-w" if wait else "-W", "stop")

    def running(self):
        try:
            self._run("pg_ctl", "-D", self.data, "status")
        except subprocess.CalledProcessError:
            return False
        return True

    def start(self):
        # pg_ctl's own limit of a minute was too short when other processes used all cores.
        self._run("pg_ctl", "-D", self.data, "-w", "-t", 240, "-l", self.data / "log", "start")
