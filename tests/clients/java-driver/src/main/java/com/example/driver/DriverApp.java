package com.example.driver;

import static com.example.driver.Rules.emit;
import static com.example.driver.Rules.now;
import static com.example.driver.Rules.option;

import com.example.driver.Rules.Backoff;
import com.example.driver.Rules.Failure;
import com.google.protobuf.util.Durations;
import hail.driver.v1.AdvanceTripRequest;
import hail.driver.v1.Arrive;
import hail.driver.v1.Availability;
import hail.driver.v1.CommandResult;
import hail.driver.v1.Complete;
import hail.driver.v1.Driver;
import hail.driver.v1.DriverServiceGrpc;
import hail.driver.v1.DriverState;
import hail.driver.v1.Offer;
import hail.driver.v1.OfferReceived;
import hail.driver.v1.OfferResponse;
import hail.driver.v1.OfferStatus;
import hail.driver.v1.OpenSession;
import hail.driver.v1.RegisterDriverRequest;
import hail.driver.v1.RespondToOfferRequest;
import hail.driver.v1.Seen;
import hail.driver.v1.SetAvailabilityRequest;
import hail.driver.v1.Start;
import hail.driver.v1.StreamDriverRequest;
import hail.driver.v1.StreamDriverResponse;
import hail.driver.v1.UpdateLocationRequest;
import hail.type.v1.Cursor;
import hail.type.v1.Draining;
import hail.type.v1.Heartbeat;
import hail.type.v1.LatLng;
import hail.type.v1.Position;
import hail.type.v1.Ride;
import hail.type.v1.RideEvent;
import hail.type.v1.Vehicle;
import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.ClientCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;

/**
 * A driver's app in Java: it registers, goes online, accepts the first offer and drives the ride to its end on
 * StreamDriver, by the rules of docs/clients.md.
 *
 * <p>Generate the code of the contract and build:
 *
 * <pre>mvn -q compile dependency:build-classpath</pre>
 *
 * <p>With the services on this machine:
 *
 * <pre>java -cp target/classes:$(cat target/classpath) com.example.driver.DriverApp \
 *     --address 127.0.0.1:50052 --insecure --id grace</pre>
 *
 * <p>Through an edge with TLS and tokens, where the id must be the token's subject:
 *
 * <pre>java -cp … com.example.driver.DriverApp \
 *     --address localhost:8443 --ca ca.crt --token-file grace.jwt --id grace</pre>
 *
 * <p>It prints one line of JSON for each message. Rules has what every client needs: which errors are answers, how
 * often to repeat, the channel. This file has the driver. All of it runs on one thread, except the registration.
 *
 * <p>The snapshot of a stream shows the work that is left: go online, answer the offer, take the ride's next step. So
 * nothing that a broken stream took with it is lost. A command that was carried out already is safe to repeat.
 */
public final class DriverApp {
  private static final LatLng STAND = LatLng.newBuilder().setLatitudeDeg(37.7936).setLongitudeDeg(-122.3965).build();
  /** The car stands still. One that moves reports its position every few seconds. */
  private static final long POSITION_EVERY = 10_000;

  private final ScheduledExecutorService loop;
  private final ManagedChannel channel;
  private final DriverServiceGrpc.DriverServiceStub stub;
  private final String driverId;
  private final long pace;
  private final CompletableFuture<Integer> exitCode = new CompletableFuture<>();

  // What outlives a stream.
  private final String incarnation = UUID.randomUUID().toString();
  private final Backoff wait = new Backoff();
  private long openings;
  private long commands;
  private long positions;
  private Cursor cursor;

  DriverApp(ScheduledExecutorService loop, ManagedChannel channel, DriverServiceGrpc.DriverServiceStub stub,
      String driverId, long pace) {
    this.loop = loop;
    this.channel = channel;
    this.stub = stub;
    this.driverId = driverId;
    this.pace = pace;
  }

  /** Opens the first stream, or the next one. */
  private void open() {
    // gRPC Java has no option for the wait between connections. It grows to two minutes unless it is reset.
    channel.resetConnectBackoff();
    new Session();
  }

  /** A command without its result. */
  private static final class Command {
    final StreamDriverRequest request;
    final long first = now();
    final Backoff wait = new Backoff();
    long due = first + Rules.COMMAND;

    Command(StreamDriverRequest request) {
      this.request = request;
    }

    boolean isHopeless() {
      return now() - first > (request.hasRespondToOffer() ? Rules.GIVE_UP_RESPONSE : Rules.GIVE_UP);
    }
  }

  /** One stream. */
  private final class Session implements StreamObserver<StreamDriverResponse> {
    private final ClientCallStreamObserver<StreamDriverRequest> out;
    private final Map<String, Command> unanswered = new HashMap<>();
    private final Future<?> clock;
    private long lastReceived = now();
    private long lastSent;
    private long lastPosition;
    private boolean caughtUp;
    private boolean over;
    private DriverState state;
    private Draining draining;

    Session() {
      out = (ClientCallStreamObserver<StreamDriverRequest>) stub.streamDriver(this);
      var open = OpenSession.newBuilder().setDriverId(driverId).setIncarnationId(incarnation).setOpening(++openings);
      if (cursor != null) {
        open.setCursor(cursor);
      }
      send(StreamDriverRequest.newBuilder().setOpen(open));
      clock = loop.scheduleWithFixedDelay(this::tick, 100, 100, TimeUnit.MILLISECONDS);
    }

    private void send(StreamDriverRequest.Builder message) {
      if (!over) {
        out.onNext(message.build());
        lastSent = now();
      }
    }

    private void command(StreamDriverRequest.Builder message) {
      var command = new Command(message.setCommandId(Long.toString(++commands)).build());
      unanswered.put(message.getCommandId(), command);
      send(message);
    }

    private void tick() {
      if (now() - lastReceived > Rules.SILENCE) {
        out.cancel("no message for 12 s", null); // onError follows.
        return;
      }
      if (caughtUp && now() - lastPosition > POSITION_EVERY) {
        sendPosition();
      }
      if (now() - lastSent > Rules.HEARTBEAT) {
        send(StreamDriverRequest.newBuilder().setHeartbeat(Heartbeat.getDefaultInstance()));
      }
      unanswered.values().removeIf(Command::isHopeless);
      for (Command command : unanswered.values()) {
        if (now() >= command.due) {
          command.due = now() + Rules.COMMAND;
          send(command.request.toBuilder());
        }
      }
    }

    private void sendPosition() {
      lastPosition = now();
      send(StreamDriverRequest.newBuilder().setLocation(UpdateLocationRequest.newBuilder().addPositions(
          Position.newBuilder().setLocation(STAND).setAge(Durations.ZERO).setPositionSeq(++positions))));
    }

    @Override
    public void onNext(StreamDriverResponse message) {
      if (over) {
        return;
      }
      lastReceived = now();
      wait.reset();
      switch (message.getMessageCase()) {
        case EVENT -> onEvent(message.getEvent());
        case START_OVER -> cursor = null;
        case SNAPSHOT -> onSnapshot(message.getSnapshot());
        case CAUGHT_UP -> onCaughtUp();
        case OFFER -> onOffer(message.getOffer());
        case OFFER_UPDATE -> emit("offer_update", "offer_id", message.getOfferUpdate().getOfferId(),
            "status", message.getOfferUpdate().getStatus());
        case STATE -> emit("state", "status", message.getState().getStatus());
        case COMMAND_RESULT -> onResult(message.getCommandResult());
        case DRAINING -> draining = message.getDraining();
        case REPLACED -> {
          emit("replaced");
          finish(3);
        }
        default -> {
          // Heartbeats and location_result call for nothing. Messages of a later version are skipped.
        }
      }
    }

    private void onEvent(RideEvent event) {
      cursor = Cursor.newBuilder().setRideId(event.getRideId()).setSequence(event.getSequence()).build();
      emit("event", "sequence", event.getSequence(), "type", event.getType(), "state", event.getRide().getState());
      if (event.getRide().hasEndTime()) {
        emit("end", "state", event.getRide().getState());
        finish(0);
      } else if (caughtUp && !event.getEnded()) {
        drive(event.getRide());
      }
    }

    private void onSnapshot(DriverState snapshot) {
      state = snapshot;
      if (snapshot.hasRide()) {
        cursor = Cursor.newBuilder().setRideId(snapshot.getRide().getRideId())
            .setSequence(snapshot.getRide().getSequence()).build();
      }
      emit("snapshot", "status", snapshot.getStatus(), "sequence", snapshot.getRide().getSequence());
      if (caughtUp) { // Another snapshot on this stream.
        onCaughtUp();
      }
    }

    private void onCaughtUp() {
      caughtUp = true;
      sendPosition();
      if (state.getAvailability() != Availability.AVAILABILITY_ONLINE) {
        command(StreamDriverRequest.newBuilder().setSetAvailability(
            SetAvailabilityRequest.newBuilder().setAvailability(Availability.AVAILABILITY_ONLINE)));
      }
      if (state.hasOffer()) {
        onOffer(state.getOffer());
      }
      if (state.hasRide()) {
        drive(state.getRide());
      }
    }

    private void onOffer(Offer offer) {
      emit("offer", "offer_id", offer.getOfferId(), "status", offer.getStatus());
      if (offer.getStatus() != OfferStatus.OFFER_STATUS_PENDING) {
        return; // Accepted already: its update follows.
      }
      send(StreamDriverRequest.newBuilder().setOfferReceived(
          OfferReceived.newBuilder().setOfferId(offer.getOfferId())));
      command(StreamDriverRequest.newBuilder().setRespondToOffer(RespondToOfferRequest.newBuilder()
          .setOfferId(offer.getOfferId()).setResponse(OfferResponse.OFFER_RESPONSE_ACCEPT)));
    }

    private void onResult(CommandResult result) {
      var failure = Failure.of(result.getStatus());
      if (failure.isAnswer()) {
        unanswered.remove(result.getCommandId());
        emit("result", "code", failure.code(), "reason", failure.reason(), "status", result.getState().getStatus());
        return;
      }
      Command command = unanswered.get(result.getCommandId());
      if (command != null) {
        command.due = now() + command.wait.next(failure.retryAfter());
      }
    }

    /** Takes the ride's next step: at once if the app takes it, after the time that it takes a car otherwise. */
    private void drive(Ride ride) {
      var step = AdvanceTripRequest.newBuilder()
          .setRideId(ride.getRideId()).setEpoch(ride.getEpoch()).setLeg(ride.getLeg());
      switch (ride.getState()) {
        case RIDE_STATE_ENROUTE_TO_PICKUP -> {
          if (ride.hasSeenTime()) {
            step.setArrive(Arrive.getDefaultInstance());
          } else {
            step.setSeen(Seen.getDefaultInstance());
          }
        }
        case RIDE_STATE_ARRIVED_AT_PICKUP -> step.setStart(Start.getDefaultInstance());
        case RIDE_STATE_ENROUTE_TO_DROPOFF -> step.setComplete(Complete.getDefaultInstance());
        default -> {
          return;
        }
      }
      Runnable take = () -> {
        if (!over) {
          command(StreamDriverRequest.newBuilder().setAdvanceTrip(step));
        }
      };
      loop.schedule(take, step.hasSeen() ? 0 : pace, TimeUnit.MILLISECONDS);
    }

    private void finish(int code) {
      if (!over) {
        close();
        out.onCompleted();
        exitCode.complete(code);
      }
    }

    private void close() {
      over = true;
      clock.cancel(false);
    }

    @Override
    public void onError(Throwable error) {
      ended(Failure.of(error));
    }

    @Override
    public void onCompleted() {
      ended(new Failure(Status.Code.OK, "", "", 0));
    }

    private void ended(Failure failure) {
      if (over) {
        return;
      }
      close();
      if (failure.code() != Status.Code.OK && failure.isAnswer()) {
        fail(failure);
        exitCode.complete(1);
        return;
      }
      long delay = draining != null ? Durations.toMillis(draining.getRetryAfter()) : wait.next(failure.retryAfter());
      emit("resume", "after", cursor == null ? 0 : cursor.getSequence(), "code", failure.code());
      loop.schedule(DriverApp.this::open, delay, TimeUnit.MILLISECONDS);
    }
  }

  private static void fail(Failure failure) {
    emit("error", "code", failure.code(), "reason", failure.reason(), "message", failure.message());
  }

  public static void main(String[] words) throws Exception {
    var arguments = List.of(words);
    String driverId = option(arguments, "--id");
    String tokenFile = option(arguments, "--token-file");
    String pace = option(arguments, "--pace"); // milliseconds that each drive takes
    var loop = Executors.newSingleThreadScheduledExecutor();
    var channel = Rules.connect(
        option(arguments, "--address"), option(arguments, "--ca"), arguments.contains("--insecure"), loop);
    var credentials = tokenFile == null ? null : new Rules.Token(Path.of(tokenFile));

    var driver = Driver.newBuilder().setDriverId(driverId).setDisplayName("Grace").setRegionId("san_francisco")
        .addProductIds("economy").setVehicle(Vehicle.newBuilder()
            .setMake("Toyota").setModel("Prius").setColor("green").setPlate(driverId).setSeats(4)).build();
    var register = DriverServiceGrpc.newBlockingStub(channel).withCallCredentials(credentials);
    int code;
    try {
      Rules.retry(() -> register.withDeadlineAfter(Rules.ATTEMPT, TimeUnit.MILLISECONDS)
          .registerDriver(RegisterDriverRequest.newBuilder().setDriver(driver).build()));
      emit("registered", "driver_id", driverId);
      var app = new DriverApp(loop, channel, DriverServiceGrpc.newStub(channel).withCallCredentials(credentials),
          driverId, pace == null ? 1_000 : Long.parseLong(pace));
      loop.execute(app::open);
      code = app.exitCode.get();
    } catch (StatusRuntimeException e) {
      fail(Failure.of(e));
      code = 1;
    }
    channel.shutdown().awaitTermination(2, TimeUnit.SECONDS);
    loop.shutdownNow();
    System.exit(code);
  }
}
