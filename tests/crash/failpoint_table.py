"""The table that a service with failpoints shares with the test: see common/failpoint/failpoint.h."""
import mmap
import struct

RECORD = struct.Struct("=32sQQQQQ")
FIELDS = {"passed": 40, "kill_at": 48, "killed": 56, "delay_us": 64}


class FailpointTable:
    """One service's table. The process makes the file, so it must have been started."""

    def __init__(self, path, service):
        with open(path, "r+b") as file:
            self._memory = mmap.mmap(file.fileno(), 0)
        bit = {"rider": 1, "driver": 2}[service]
        self._rows = {}
        for offset in range(0, len(self._memory), RECORD.size):
            name, services, *_ = RECORD.unpack_from(self._memory, offset)
            if services & bit:
                self._rows[name.rstrip(b"\0").decode()] = offset

    def names(self):
        return list(self._rows)

    def _get(self, name, field):
        return struct.unpack_from("=Q", self._memory, self._rows[name] + FIELDS[field])[0]

    def _set(self, name, field, value):
        struct.pack_into("=Q", self._memory, self._rows[name] + FIELDS[field], value)

    def passed(self, name):
        return self._get(name, "passed")

    def killed(self, name):
        return self._get(name, "killed")

    def arm(self, name):
        """Makes the next passing of the failpoint end the process."""
        self._set(name, "kill_at", 1)

    def disarm(self, name):
        """False if the failpoint was passed before."""
        armed = self._get(name, "kill_at") != 0
        self._set(name, "kill_at", 0)
        return armed

    def delay(self, name, seconds):
        self._set(name, "delay_us", round(seconds * 1e6))
