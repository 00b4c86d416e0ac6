"""A stored ride's record with fields that no release knows. Uses only the wire format."""

# A field number that no message of the contract uses, or will use.
FIELD = 18_000
VALUE = b"of a later version"
# Ride.pickup and Ride.fare.
NESTED = {"pickup": 9, "fare": 12}
RIDE_OF_EVENT = 6


def varint(number):
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def encoded(number, content):
    """A length-delimited field: a text or a message."""
    return varint(number << 3 | 2) + varint(len(content)) + content


LATER = encoded(FIELD, VALUE)
# Appended to a record, it makes one of a later version: protobuf merges the parts of a message that occurs twice.
LATER_RIDE = LATER + b"".join(encoded(number, LATER) for number in NESTED.values())


def content(message, number):
    """The contents of all fields `number` of a message, merged; None if there are none."""
    found, at = None, 0

    def read_varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(message):
        tag = read_varint()
        kind = tag & 7
        if kind == 0:
            read_varint()
            continue
        size = {1: 8, 5: 4}.get(kind)
        if size is None:
            size = read_varint()
        if tag >> 3 == number and kind == 2:
            found = (found or b"") + message[at:at + size]
        at += size
    return found


def kept(ride):
    """Which of LATER_RIDE's fields an encoded ride has: {"ride": True, "pickup": True, …}."""
    return {"ride": content(ride, FIELD) == VALUE,
            **{name: content(content(ride, number) or b"", FIELD) == VALUE for name, number in NESTED.items()}}
