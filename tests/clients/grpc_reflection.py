"""A gRPC client without knowledge of Hail: it gets methods and message types from the server's reflection.

Needs grpcio and protobuf (Debian: python3-grpcio, python3-protobuf). Messages go in and come out as the dicts of
protobuf's JSON mapping, with the contract's own field names.

    client = Client("127.0.0.1:50051")
    client.services()
    client.unary("hail.rider.v1.RiderService/GetRide", {"rider_id": "ada", "ride_id": "…"})
"""

import queue
import time

import grpc
from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, json_format, message_factory

from hail_errors import GIVE_UP, REPEATED, Backoff, is_answer

_REFLECTION = "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"


def _message_class(pool, descriptor):
    if hasattr(message_factory, "GetMessageClass"):
        return message_factory.GetMessageClass(descriptor)
    return message_factory.MessageFactory(pool).GetPrototype(descriptor)


def _reflection_pool():
    """The part of the reflection protocol that is used here, by its published field numbers."""
    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(
        name="reflection.proto", package="grpc.reflection.v1alpha", syntax="proto3")

    def message(name, *fields):
        proto = file.message_type.add(name=name)
        for number, field_name, kind, label in fields:
            added = proto.field.add(name=field_name, number=number, label=label)
            if isinstance(kind, str):
                added.type, added.type_name = field.TYPE_MESSAGE, ".grpc.reflection.v1alpha." + kind
            else:
                added.type = kind

    one, many = field.LABEL_OPTIONAL, field.LABEL_REPEATED
    message("ServerReflectionRequest",
            (4, "file_containing_symbol", field.TYPE_STRING, one),
            (7, "list_services", field.TYPE_STRING, one))
    message("FileDescriptorResponse", (1, "file_descriptor_proto", field.TYPE_BYTES, many))
    message("ServiceResponse", (1, "name", field.TYPE_STRING, one))
    message("ListServiceResponse", (1, "service", "ServiceResponse", many))
    message("ErrorResponse", (1, "error_code", field.TYPE_INT32, one), (2, "error_message", field.TYPE_STRING, one))
    message("ServerReflectionResponse",
            (4, "file_descriptor_response", "FileDescriptorResponse", one),
            (6, "list_services_response", "ListServiceResponse", one),
            (7, "error_response", "ErrorResponse", one))
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return pool


class CallError(Exception):
    """A call that failed: its code, message and the details of Hail's errors. `raw`: everything received, as bytes.
    `answer`: true if this is the service's answer, false if the call may be repeated (hail_errors.py)."""

    def __init__(self, code, message, reason="", field="", metadata=None, raw=b"", retry_after=None):
        super().__init__(f"{code} {reason}: {field + ': ' if field else ''}{message}")
        self.raw = raw
        self.code = code
        self.message = message
        self.reason = reason
        self.field = field
        self.metadata = metadata or {}
        self.retry_after = retry_after
        self.answer = is_answer(grpc.StatusCode[code].value[0], reason)


class Stream:
    """A bidirectional stream: send() takes dicts, iteration gives the received messages."""

    def __init__(self, call, outgoing, to_message, from_message, to_error):
        self._call = call
        self._outgoing = outgoing
        self._to_message = to_message
        self._from_message = from_message
        self._to_error = to_error

    def send(self, message):
        self._outgoing.put(self._to_message(message))

    def close(self):
        """Half-closes the stream; the server may send more."""
        self._outgoing.put(None)

    def cancel(self):
        self._call.cancel()

    def __iter__(self):
        try:
            for message in self._call:
                yield self._from_message(message)
        except grpc.RpcError as error:
            raise self._to_error(error) from None


class Client:
    def __init__(self, address, credentials=None):
        """`credentials`: of gRPC, for TLS, and for a token with each call; None: in the clear."""
        # Each client has its own connection, like a phone.
        options = [("grpc.use_local_subchannel_pool", 1)]
        self.channel = (grpc.secure_channel(address, credentials, options) if credentials
                        else grpc.insecure_channel(address, options))
        self._pool = descriptor_pool.DescriptorPool()
        # The received files, by name.
        self._files = {}
        self._symbols = set()
        reflection = _reflection_pool()
        request, response = (
            _message_class(reflection, reflection.FindMessageTypeByName("grpc.reflection.v1alpha." + name))
            for name in ("ServerReflectionRequest", "ServerReflectionResponse"))
        self._reflection_request = request
        self._reflect = self.channel.stream_stream(
            "/" + _REFLECTION, request_serializer=request.SerializeToString, response_deserializer=response.FromString)

    def close(self):
        self.channel.close()

    def services(self):
        """The names of the services at this address."""
        answer = self._ask(list_services="*")
        return sorted(service.name for service in answer.list_services_response.service)

    def methods(self, service):
        """The methods of a service: name → (request type, response type, client streams, server streams)."""
        self._learn(service)
        known = self._pool.FindServiceByName(service)
        sent, = (each for each in self._files[known.file.name].service if each.name == known.name)
        return {method.name: (method.input_type.lstrip("."), method.output_type.lstrip("."),
                              method.client_streaming, method.server_streaming) for method in sent.method}

    def request_fields(self, method):
        """The fields of the request, as dotted paths: ["rider_id", "pickup.position.latitude_deg", …]."""
        service, name = method.rsplit("/", 1)
        self._learn(service)

        def walk(message, prefix):
            for field in message.fields:
                if field.message_type is None:
                    yield prefix + field.name
                elif not field.message_type.GetOptions().map_entry:
                    yield from walk(field.message_type, prefix + field.name + ".")

        return list(walk(self._pool.FindServiceByName(service).methods_by_name[name].input_type, ""))

    def unary(self, method, request, timeout=10, metadata=None):
        call, to_message, from_message = self._prepare(method, self.channel.unary_unary)
        try:
            return from_message(call(to_message(request), timeout=timeout, metadata=metadata))
        except grpc.RpcError as error:
            raise self._error(error) from None

    def server_stream(self, method, request, timeout=None):
        call, to_message, from_message = self._prepare(method, self.channel.unary_stream)
        stream = call(to_message(request), timeout=timeout)
        try:
            for message in stream:
                yield from_message(message)
        except grpc.RpcError as error:
            raise self._error(error) from None
        finally:
            stream.cancel()

    def bidi(self, method, timeout=None, metadata=None):
        call, to_message, from_message = self._prepare(method, self.channel.stream_stream)
        outgoing = queue.Queue()
        return Stream(call(iter(outgoing.get, None), timeout=timeout, metadata=metadata), outgoing, to_message,
                      from_message, self._error)

    def _ask(self, **question):
        """The answer of the server's reflection. Repeats the call, because other clients may hold all streams."""
        backoff, give_up = Backoff(), time.monotonic() + GIVE_UP
        while True:
            try:
                for answer in self._reflect(iter([self._reflection_request(**question)]), timeout=10):
                    return answer
                raise LookupError("the server's reflection gave no answer")
            except grpc.RpcError as error:
                # Uses only the code: reading the details would need reflection.
                if error.code().value[0] not in REPEATED or time.monotonic() > give_up:
                    raise
                time.sleep(backoff.next())

    def _learn(self, symbol):
        """Adds the file that declares `symbol`, and those it imports, to the pool; asks once for each."""
        if symbol in self._symbols:
            return
        answer = self._ask(file_containing_symbol=symbol)
        if answer.HasField("error_response"):
            raise LookupError(f"{symbol}: {answer.error_response.error_message}")
        files = {}
        for encoded in answer.file_descriptor_response.file_descriptor_proto:
            file = descriptor_pb2.FileDescriptorProto.FromString(encoded)
            files[file.name] = file

        def add(name):
            if name in self._files or name not in files:
                return
            for dependency in files[name].dependency:
                add(dependency)
            self._pool.Add(files[name])
            self._files[name] = files[name]

        for name in list(files):
            add(name)
        self._symbols.add(symbol)

    def _status_type(self):
        try:
            self._learn("google.rpc.Status")
            return "google.rpc.Status"
        except LookupError:
            # A release up to 8f60d66 has the same message under another name.
            self._learn("hail.type.v1.Status")
            return "hail.type.v1.Status"

    def _prepare(self, method, kind):
        service, name = method.rsplit("/", 1)
        self._learn(service)
        # Learns the types of error details, to which no method refers. Does so in advance, because an overloaded server
        # does not answer reflection either.
        for detail in ("google.rpc.ErrorInfo", "google.rpc.RetryInfo", "google.rpc.BadRequest"):
            self._learn(detail)
        self._status_type()
        descriptor = self._pool.FindServiceByName(service).methods_by_name[name]
        request = _message_class(self._pool, descriptor.input_type)
        response = _message_class(self._pool, descriptor.output_type)
        call = kind("/" + method, request_serializer=request.SerializeToString,
                    response_deserializer=response.FromString)

        def to_message(fields):
            return json_format.ParseDict(fields, request(), descriptor_pool=self._pool)

        def from_message(message):
            return json_format.MessageToDict(message, preserving_proto_field_name=True, descriptor_pool=self._pool)

        return call, to_message, from_message

    def _error(self, error):
        trailers = {key: value for key, value in error.trailing_metadata() or ()}
        encoded = trailers.get("grpc-status-details-bin")
        reason, field, metadata, retry_after = "", "", {}, None
        if encoded:
            # The trailer is a google.rpc.Status; its details name their own types.
            status = _message_class(self._pool, self._pool.FindMessageTypeByName(self._status_type()))
            for detail in status.FromString(encoded).details:
                detail = any_pb2.Any.FromString(detail.SerializeToString())
                type_name = detail.TypeName()
                self._learn(type_name)
                details = _message_class(self._pool, self._pool.FindMessageTypeByName(type_name))
                message = details.FromString(detail.value)
                if type_name == "google.rpc.ErrorInfo" and message.domain == "hail":
                    reason, metadata = message.reason, dict(message.metadata)
                elif type_name == "google.rpc.BadRequest" and message.field_violations:
                    field = message.field_violations[0].field
                elif type_name == "google.rpc.RetryInfo":
                    retry_after = message.retry_delay.seconds + message.retry_delay.nanos / 1e9
        raw = (error.details() or "").encode() + b"".join(
            value if isinstance(value, bytes) else value.encode() for value in trailers.values())
        return CallError(error.code().name, error.details(), reason, field, metadata, raw, retry_after)
