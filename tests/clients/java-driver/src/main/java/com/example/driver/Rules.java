package com.example.driver;

import com.google.gson.JsonObject;
import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.util.Durations;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RetryInfo;
import io.grpc.CallCredentials;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.TlsChannelCredentials;
import io.grpc.protobuf.StatusProto;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Executor;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;

/** The rules of docs/clients.md for any client of Hail in Java. Times are in milliseconds. */
final class Rules {
  static final long ATTEMPT = 5_000; // of one attempt of a unary call
  static final long GIVE_UP = 30_000; // the last attempt begins by then
  static final long COMMAND = 10_000; // of one attempt of a command on a stream
  static final long GIVE_UP_RESPONSE = 60_000; // the last attempt of a response to an offer
  static final long SILENCE = 12_000; // a stream without a message for this long is dead
  static final long HEARTBEAT = 5_000; // a stream on which nothing was sent for this long needs one
  private static final long FIRST_WAIT = 100;
  private static final long LONGEST_WAIT = 2_000;

  private Rules() {}

  /**
   * The part of an error that a client needs.
   *
   * @param reason from Hail's ErrorInfo; empty for an error that does not come from Hail
   * @param retryAfter from RetryInfo, or 0
   */
  record Failure(Status.Code code, String reason, String message, long retryAfter) {
    static Failure of(Throwable error) {
      return of(StatusProto.fromStatusAndTrailers(
          Status.fromThrowable(error), Status.trailersFromThrowable(error)));
    }

    static Failure of(com.google.rpc.Status status) {
      String reason = "";
      long retryAfter = 0;
      try {
        for (Any detail : status.getDetailsList()) {
          if (detail.is(ErrorInfo.class) && detail.unpack(ErrorInfo.class).getDomain().equals("hail")) {
            reason = detail.unpack(ErrorInfo.class).getReason();
          } else if (detail.is(RetryInfo.class)) {
            retryAfter = Durations.toMillis(detail.unpack(RetryInfo.class).getRetryDelay());
          }
        }
      } catch (InvalidProtocolBufferException e) {
        // The details are damaged: the error counts as one without them.
      }
      return new Failure(
          Status.fromCodeValue(status.getCode()).getCode(), reason, status.getMessage(), retryAfter);
    }

    /** Whether this is Hail's answer, which stays. After any other error the call or stream is repeated. */
    boolean isAnswer() {
      return switch (code) {
        case OK -> true;
        case UNAVAILABLE, RESOURCE_EXHAUSTED, DEADLINE_EXCEEDED, CANCELLED -> false;
        default -> !reason.isEmpty();
      };
    }
  }

  /** The waits before further attempts. */
  static final class Backoff {
    private long last;

    void reset() {
      last = 0;
    }

    long next(long atLeast) {
      last = Math.min(Math.max(2 * last, FIRST_WAIT), LONGEST_WAIT);
      return Math.max(ThreadLocalRandom.current().nextLong(last / 2, last + 1), atLeast);
    }
  }

  /** Repeats a unary call until it has an answer. The call sets the deadline of an attempt. */
  static <T> T retry(Supplier<T> call) throws InterruptedException {
    var wait = new Backoff();
    for (long began = now(); ; ) {
      try {
        return call.get();
      } catch (StatusRuntimeException e) {
        Failure failure = Failure.of(e);
        if (failure.isAnswer() || now() - began > GIVE_UP) {
          throw e;
        }
        Thread.sleep(wait.next(failure.retryAfter()));
      }
    }
  }

  /** Monotonic. */
  static long now() {
    return TimeUnit.NANOSECONDS.toMillis(System.nanoTime());
  }

  /** Opens the one channel that an app needs. Callbacks run on {@code executor}. */
  static ManagedChannel connect(String address, String ca, boolean plaintext, Executor executor)
      throws IOException {
    var tls = TlsChannelCredentials.newBuilder();
    if (ca != null) {
      tls.trustManager(new File(ca));
    }
    return Grpc.newChannelBuilder(address, plaintext ? InsecureChannelCredentials.create() : tls.build())
        .executor(executor)
        .disableRetry()
        .keepAliveTime(30, TimeUnit.SECONDS)
        .keepAliveTimeout(10, TimeUnit.SECONDS)
        .build();
  }

  /** Reads the token for each call, because a token expires and another program renews it. */
  static final class Token extends CallCredentials {
    private static final Metadata.Key<String> AUTHORIZATION =
        Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER);
    private final Path file;

    Token(Path file) {
      this.file = file;
    }

    @Override
    public void applyRequestMetadata(RequestInfo call, Executor executor, MetadataApplier applier) {
      executor.execute(() -> {
        try {
          var headers = new Metadata();
          headers.put(AUTHORIZATION, "Bearer " + Files.readString(file).strip());
          applier.apply(headers);
        } catch (IOException e) {
          applier.fail(Status.UNAUTHENTICATED.withCause(e));
        }
      });
    }
  }

  /** Prints one line of JSON: emit("event", "sequence", 2, "type", "…"). */
  static void emit(String kind, Object... fields) {
    var line = new JsonObject();
    line.addProperty("kind", kind);
    for (int i = 0; i < fields.length; i += 2) {
      if (fields[i + 1] instanceof Number number) {
        line.addProperty((String) fields[i], number);
      } else {
        line.addProperty((String) fields[i], String.valueOf(fields[i + 1]));
      }
    }
    System.out.println(line);
  }

  /** The value after {@code name} on the command line, or null. */
  static String option(List<String> arguments, String name) {
    int at = arguments.indexOf(name);
    return at < 0 || at + 1 == arguments.size() ? null : arguments.get(at + 1);
  }
}
