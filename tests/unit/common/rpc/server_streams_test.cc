// Bidirectional and client streams as a server serves them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "absl/synchronization/blocking_counter.h"
#include "absl/time/clock.h"
#include "common/errors/error.h"
#include "common/rpc/status.h"
#include "hail/rider/v1/rider_service.grpc.pb.h"
#include "tests/unit/common/rpc/fixture.h"

namespace hail::rpc {
namespace {

using ::testing::ElementsAre;

using Stream = grpc::ClientReaderWriter<v1::WatchDriversRequest, v1::WatchDriversResponse>;

// Gives every caller the same identity, or refuses it.
class OneIdentity final : public Authenticator {
 public:
  explicit OneIdentity(absl::StatusOr<auth::Caller> caller) : caller_(std::move(caller)) {}
  absl::StatusOr<auth::Caller> Authenticate(const grpc::ServerContextBase&, absl::Time) const override {
    return caller_.Get();
  }
  void Set(absl::StatusOr<auth::Caller> caller) {
    caller_.Update([&](auto& value) { value = caller; });
  }

 private:
  Watched<absl::StatusOr<auth::Caller>> caller_;
};

class ServerStreamsTest : public ::testing::Test {
 protected:
  void Start(GateOptions gate = {}, HostOptions host = {}, const StreamOptions& watch = {.greets = true},
             const Authenticator* authenticator = &ChecksNobody()) {
    server_ = std::make_unique<TestServer>(gate, host, watch, authenticator);
    server_->Start();
    stub_ = v1::AssignmentService::NewStub(MakeChannel(server_->address()));
  }
  // `prepare` sets the reactions of each session. Records the session's writer and counts its end.
  void OnWatch(std::function<void(WatchSession&, std::shared_ptr<WatchStreamWriter>)> prepare) {
    server_->service.on_watch = [this, prepare](WatchSession& session, std::shared_ptr<WatchStreamWriter> writer) {
      session.on_end = [this] { ends_.Update([](int& n) { ++n; }); };
      writers_.Update([&](auto& list) { list.push_back(writer); });
      prepare(session, std::move(writer));
    };
  }
  std::shared_ptr<WatchStreamWriter> Opened(std::size_t index = 0) {
    EXPECT_TRUE(writers_.WaitFor([&](const auto& list) { return list.size() > index; }));
    return writers_.Get().at(index);
  }
  void ExpectEnded(int sessions) {
    EXPECT_TRUE(server_->gate.WaitIdle(kPatience));
    EXPECT_EQ(ends_.Get(), sessions);
  }

  std::unique_ptr<TestServer> server_;
  std::unique_ptr<v1::AssignmentService::Stub> stub_;
  Watched<std::vector<std::shared_ptr<WatchStreamWriter>>> writers_;
  Watched<int> ends_;
};

TEST_F(ServerStreamsTest, MessagesGoBothWaysInOrder) {
  Start();
  OnWatch([](WatchSession& session, std::shared_ptr<WatchStreamWriter> writer) {
    writer->Send(Numbered(0));
    session.on_message = [writer](const v1::WatchDriversRequest& message) {
      writer->Send(Numbered(std::stoll(message.subscribe().driver_id())));
    };
  });
  grpc::ClientContext context;
  std::unique_ptr<Stream> stream = stub_->WatchDrivers(&context);
  for (int i = 1; i <= 100; ++i) ASSERT_TRUE(stream->Write(Subscribe(std::to_string(i))));
  stream->WritesDone();
  v1::WatchDriversResponse message;
  for (int i = 0; i <= 100; ++i) {
    ASSERT_TRUE(stream->Read(&message));
    EXPECT_EQ(message.heartbeat().sequence(), i);
  }
  EXPECT_FALSE(stream->Read(&message));
  EXPECT_TRUE(stream->Finish().ok());
  ExpectEnded(1);
  EXPECT_TRUE(server_->observer.WaitFor("WatchDrivers OK"));
}

TEST_F(ServerStreamsTest, AClientKnowsItIsConnectedBeforeTheFirstMessage) {
  Start();
  OnWatch([](WatchSession&, const std::shared_ptr<WatchStreamWriter>&) {});
  grpc::ClientContext context;
  std::unique_ptr<Stream> stream = stub_->WatchDrivers(&context);
  stream->WaitForInitialMetadata();
  context.TryCancel();
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
  ExpectEnded(1);
}

// Whether headers came before the end, and the end.
struct Attempt final : grpc::ClientBidiReactor<v1::WatchDriversRequest, v1::WatchDriversResponse> {
  explicit Attempt(v1::AssignmentService::Stub& stub) {
    stub.async()->WatchDrivers(&context, this);
    request = Subscribe("d");
    StartWriteLast(&request, {});
    StartRead(&response);
    StartCall();
  }
  void OnReadInitialMetadataDone(bool ok) override { headers = ok; }
  void OnReadDone(bool ok) override {
    if (ok) StartRead(&response);
  }
  void OnDone(const grpc::Status& status) override {
    ended.Update([&](auto& value) { value = FromGrpc(status); });
  }
  absl::Status End() {
    EXPECT_TRUE(ended.WaitFor([](const auto& value) { return value.has_value(); }));
    return ended.Get().value_or(absl::UnknownError("did not end"));
  }
  grpc::ClientContext context;
  v1::WatchDriversRequest request;
  v1::WatchDriversResponse response;
  bool headers = false;
  Watched<std::optional<absl::Status>> ended;
};

TEST_F(ServerStreamsTest, WhoIsRefusedSeesNoHeaders) {
  Start({.max_streams = 1}, {}, {});
  // Refused by the session, because of the first message.
  OnWatch([](WatchSession& session, std::shared_ptr<WatchStreamWriter> writer) {
    session.on_message = [writer](const v1::WatchDriversRequest&) {
      writer->Finish(FailedPrecondition(Reason::kDriverBusy, "x"));
    };
  });
  Attempt by_session(*stub_);
  EXPECT_TRUE(HasReason(by_session.End(), Reason::kDriverBusy));
  EXPECT_FALSE(by_session.headers);
  ASSERT_TRUE(server_->gate.WaitIdle(kPatience));

  OnWatch([](WatchSession& session, std::shared_ptr<WatchStreamWriter> writer) {
    session.on_message = [writer](const v1::WatchDriversRequest&) { writer->Send(Numbered(1)); };
  });
  grpc::ClientContext context;
  std::unique_ptr<Stream> taken = stub_->WatchDrivers(&context);
  ASSERT_TRUE(taken->Write(Subscribe("d")));
  v1::WatchDriversResponse message;
  ASSERT_TRUE(taken->Read(&message)) << "with headers";
  Attempt by_gate(*stub_);
  EXPECT_TRUE(HasReason(by_gate.End(), Reason::kOverloaded));
  EXPECT_FALSE(by_gate.headers);
  taken->WritesDone();
  EXPECT_TRUE(taken->Finish().ok());
  ASSERT_TRUE(server_->gate.WaitIdle(kPatience));

  Attempt served(*stub_);
  EXPECT_TRUE(served.End().ok());
  EXPECT_TRUE(served.headers);

  server_->gate.Drain(absl::ZeroDuration());
  Attempt while_draining(*stub_);
  EXPECT_TRUE(HasReason(while_draining.End(), Reason::kDraining));
  EXPECT_FALSE(while_draining.headers);
}

TEST_F(ServerStreamsTest, WhoIsRefusedSeesNoHeadersOfAStreamThatGreetsEither) {
  Start({.max_streams = 0});
  Attempt refused(*stub_);
  EXPECT_TRUE(HasReason(refused.End(), Reason::kOverloaded));
  EXPECT_FALSE(refused.headers);
}

TEST_F(ServerStreamsTest, AReaderThatDoesNotKeepUpIsToldSo) {
  Start();
  OnWatch([](WatchSession&, const std::shared_ptr<WatchStreamWriter>&) {});
  grpc::ClientContext context;
  std::unique_ptr<Stream> stream = stub_->WatchDrivers(&context);
  const std::shared_ptr<WatchStreamWriter> writer = Opened();
  int sent = 0;
  // Far more than the transport buffers.
  while (sent < 10'000 && writer->Send(Big(64'000))) ++sent;
  ASSERT_LT(sent, 10'000);
  v1::WatchDriversResponse message;
  int read = 0;
  while (stream->Read(&message)) ++read;
  EXPECT_LT(read, sent);
  EXPECT_TRUE(HasReason(FromGrpc(stream->Finish()), Reason::kStreamTooSlow));
  ExpectEnded(1);
}

TEST_F(ServerStreamsTest, WhatIsLatestWinsWhileTheReaderIsSlow) {
  Start();
  OnWatch([](WatchSession&, const std::shared_ptr<WatchStreamWriter>&) {});
  grpc::ClientContext context;
  std::unique_ptr<Stream> stream = stub_->WatchDrivers(&context);
  const std::shared_ptr<WatchStreamWriter> writer = Opened();
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(writer->Send(Big(64'000)));
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(writer->SendLatest("telemetry", Numbered(i)));
  writer->Finish();
  v1::WatchDriversResponse message;
  int big = 0;
  std::vector<std::int64_t> latest;
  while (stream->Read(&message)) {
    if (message.has_draining()) ++big;
    if (message.has_heartbeat()) latest.push_back(message.heartbeat().sequence());
  }
  EXPECT_EQ(big, 200);
  EXPECT_THAT(latest, ElementsAre(999));
  EXPECT_TRUE(stream->Finish().ok());
  ExpectEnded(1);
}

TEST_F(ServerStreamsTest, AnExceptionInAReactionEndsTheStream) {
  Start();
  OnWatch([](WatchSession& session, const std::shared_ptr<WatchStreamWriter>&) {
    session.on_message = [](const v1::WatchDriversRequest&) { throw std::runtime_error("oops"); };
  });
  grpc::ClientContext context;
  std::unique_ptr<Stream> stream = stub_->WatchDrivers(&context);
  stream->Write(Subscribe("d"));
  EXPECT_TRUE(HasReason(FromGrpc(stream->Finish()), Reason::kInternal));
  EXPECT_TRUE(server_->observer.WaitFor("WatchDrivers threw oops"));
  ExpectEnded(1);
}

TEST_F(ServerStreamsTest, AnExceptionWhileOpeningEndsTheStream) {
  Start();
  server_->service.on_watch = [](WatchSession&, const std::shared_ptr<WatchStreamWriter>&) {
    throw std::runtime_error("no session");
  };
  grpc::ClientContext context;
  EXPECT_TRUE(HasReason(FromGrpc(stub_->WatchDrivers(&context)->Finish()), Reason::kInternal));
  ExpectEnded(0);
}

TEST_F(ServerStreamsTest, AnOversizedMessageEndsTheStream) {
  Start();
  OnWatch([](WatchSession&, const std::shared_ptr<WatchStreamWriter>&) {});
  grpc::ClientContext context;
  std::unique_ptr<Stream> stream = stub_->WatchDrivers(&context);
  stream->Write(Subscribe(std::string(70'000, 'x')));
  EXPECT_TRUE(HasReason(FromGrpc(stream->Finish()), Reason::kInvalidField));
  ExpectEnded(1);
}

TEST_F(ServerStreamsTest, BeyondTheBoundStreamsAreRefused) {
  Start({.max_streams = 1});
  OnWatch([](WatchSession&, const std::shared_ptr<WatchStreamWriter>&) {});
  grpc::ClientContext first_context;
  std::unique_ptr<Stream> first = stub_->WatchDrivers(&first_context);
  Opened();
  grpc::ClientContext context;
  EXPECT_TRUE(HasReason(FromGrpc(stub_->WatchDrivers(&context)->Finish()), Reason::kOverloaded));
  first_context.TryCancel();
  EXPECT_FALSE(first->Finish().ok());
  ExpectEnded(1);
}

TEST_F(ServerStreamsTest, HeartbeatsGoOutAndASilentClientIsGone) {
  Start();
  Watched<int> beats;
  OnWatch([&beats](WatchSession& session, std::shared_ptr<WatchStreamWriter> writer) {
    session.on_heartbeat = [&beats, writer] {
      beats.Update([](int& n) { ++n; });
      writer->SendLatest("heartbeat", Numbered(1));
    };
  });
  grpc::ClientContext context;
  std::unique_ptr<Stream> stream = stub_->WatchDrivers(&context);
  Opened();
  // A heartbeat is due after 5 s. It waits up to 3 s more for a message of the client.
  server_->clock.Advance(absl::Milliseconds(7900));
  server_->gate.Tick();
  EXPECT_EQ(beats.Get(), 0);
  server_->clock.Advance(absl::Milliseconds(100));
  server_->gate.Tick();
  server_->gate.Tick();
  EXPECT_EQ(beats.Get(), 1);
  v1::WatchDriversResponse message;
  EXPECT_TRUE(stream->Read(&message));
  server_->clock.Advance(absl::Seconds(4));
  server_->gate.Tick();
  EXPECT_FALSE(stream->Read(&message));
  const absl::Status gone = FromGrpc(stream->Finish());
  EXPECT_EQ(gone.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_TRUE(HasReason(gone, Reason::kStreamSilent));
  ExpectEnded(1);
}

TEST_F(ServerStreamsTest, AHeartbeatThatIsDueGoesOutWithAMessageOfTheClient) {
  Start();
  Watched<int> beats;
  Watched<int> messages;
  OnWatch([&beats, &messages](WatchSession& session, const std::shared_ptr<WatchStreamWriter>&) {
    session.on_heartbeat = [&beats] { beats.Update([](int& n) { ++n; }); };
    session.on_message = [&messages](const v1::WatchDriversRequest&) { messages.Update([](int& n) { ++n; }); };
  });
  grpc::ClientContext context;
  std::unique_ptr<Stream> stream = stub_->WatchDrivers(&context);
  Opened();
  const auto send = [&](int number) {
    ASSERT_TRUE(stream->Write({}));
    ASSERT_TRUE(messages.WaitFor([number](int n) { return n == number; }));
  };
  server_->clock.Advance(absl::Milliseconds(4900));
  send(1);
  EXPECT_EQ(beats.Get(), 0);
  server_->clock.Advance(absl::Milliseconds(100));
  send(2);
  EXPECT_EQ(beats.Get(), 1);
  // The next 5 s count from that heartbeat.
  server_->clock.Advance(absl::Milliseconds(4900));
  send(3);
  server_->gate.Tick();
  EXPECT_EQ(beats.Get(), 1);
  server_->clock.Advance(absl::Milliseconds(3100));
  server_->gate.Tick();
  EXPECT_EQ(beats.Get(), 2);
  context.TryCancel();
  EXPECT_FALSE(stream->Finish().ok());
  ExpectEnded(1);
}

TEST_F(ServerStreamsTest, ASilentClientIsGoneAtOnceAlsoIfWhatWasSentDoesNotGetThrough) {
  Start();
  OnWatch([](WatchSession&, const std::shared_ptr<WatchStreamWriter>&) {});
  grpc::ClientContext context;
  std::unique_ptr<Stream> stream = stub_->WatchDrivers(&context);
  const std::shared_ptr<WatchStreamWriter> writer = Opened();
  // More than the transport buffers for a client that does not read.
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(writer->Send(Big(64'000)));
  server_->clock.Advance(absl::Seconds(12));
  server_->gate.Tick();
  EXPECT_EQ(ends_.Get(), 1);
  EXPECT_EQ(server_->gate.streams(), 1u);
  context.TryCancel();
  EXPECT_FALSE(stream->Finish().ok());
  ExpectEnded(1);
}

// A session that pauses reading gets all messages sent meanwhile once it resumes, in order, however many they are.
TEST_F(ServerStreamsTest, ASessionThatPausesReadingGetsEverythingLater) {
  Start();
  Watched<std::vector<std::string>> received;
  OnWatch([&received](WatchSession& session, std::shared_ptr<WatchStreamWriter> writer) {
    session.on_message = [&received, writer](const v1::WatchDriversRequest& message) {
      received.Update([&](auto& list) {
        list.push_back(message.subscribe().driver_id());
        if (list.size() == 1) writer->PauseReading();
      });
    };
  });
  grpc::ClientContext context;
  std::unique_ptr<Stream> stream = stub_->WatchDrivers(&context);
  const std::shared_ptr<WatchStreamWriter> writer = Opened();
  constexpr int kMany = 500;
  // More than the transport buffers.
  std::thread client([&] {
    for (int i = 0; i < kMany; ++i) EXPECT_TRUE(stream->Write(Subscribe(std::string(10'000, 'x') + std::to_string(i))));
    EXPECT_TRUE(stream->WritesDone());
  });
  ASSERT_TRUE(received.WaitFor([](const auto& list) { return !list.empty(); }));
  ASSERT_TRUE(writer->reading_paused());
  // While reading is paused, the client does not count as silent.
  for (int i = 0; i < 5; ++i) {
    server_->clock.Advance(absl::Seconds(11));
    server_->gate.Tick();
  }
  EXPECT_TRUE(writer->open());
  EXPECT_EQ(received.Get().size(), 1u);
  writer->ResumeReading();
  client.join();
  EXPECT_TRUE(stream->Finish().ok()) << "the half-close comes after all messages";
  const std::vector<std::string> all = received.Get();
  ASSERT_EQ(all.size(), static_cast<std::size_t>(kMany));
  for (int i = 0; i < kMany; ++i) EXPECT_EQ(all[static_cast<std::size_t>(i)].substr(10'000), std::to_string(i));
  ExpectEnded(1);
}

TEST_F(ServerStreamsTest, ASessionThatHoldsBackStillEndsByCancelByDrainAndByItself) {
  Start();
  OnWatch([](WatchSession& session, std::shared_ptr<WatchStreamWriter> writer) {
    session.on_message = [writer](const v1::WatchDriversRequest&) { writer->PauseReading(); };
  });
  const auto hold = [this](grpc::ClientContext& context, std::size_t number) {
    std::unique_ptr<Stream> stream = stub_->WatchDrivers(&context);
    EXPECT_TRUE(stream->Write(Subscribe("d")));
    EXPECT_TRUE(stream->WritesDone());
    const std::shared_ptr<WatchStreamWriter> writer = Opened(number);
    const absl::Time limit = absl::Now() + kPatience;
    while (!writer->reading_paused() && absl::Now() < limit) std::this_thread::yield();
    EXPECT_TRUE(writer->reading_paused());
    return stream;
  };
  grpc::ClientContext canceled_context, drained_context, refused_context;
  std::unique_ptr<Stream> canceled = hold(canceled_context, 0);
  canceled_context.TryCancel();
  EXPECT_EQ(canceled->Finish().error_code(), grpc::StatusCode::CANCELLED);
  EXPECT_TRUE(ends_.WaitFor([](int n) { return n == 1; }));

  std::unique_ptr<Stream> refused = hold(refused_context, 1);
  Opened(1)->Finish(FailedPrecondition(Reason::kDriverBusy, "x"));
  EXPECT_TRUE(HasReason(FromGrpc(refused->Finish()), Reason::kDriverBusy));

  std::unique_ptr<Stream> drained = hold(drained_context, 2);
  server_->gate.Drain(absl::ZeroDuration());
  EXPECT_TRUE(drained->Finish().ok());
  ExpectEnded(3);
}

TEST_F(ServerStreamsTest, AClientThatSpeaksIsNotGone) {
  Start();
  Watched<int> received;
  OnWatch([&received](WatchSession& session, const std::shared_ptr<WatchStreamWriter>&) {
    session.on_message = [&received](const v1::WatchDriversRequest&) { received.Update([](int& n) { ++n; }); };
  });
  grpc::ClientContext context;
  std::unique_ptr<Stream> stream = stub_->WatchDrivers(&context);
  const std::shared_ptr<WatchStreamWriter> writer = Opened();
  for (int i = 1; i <= 3; ++i) {
    server_->clock.Advance(absl::Seconds(11));
    ASSERT_TRUE(stream->Write(Subscribe("d")));
    ASSERT_TRUE(received.WaitFor([i](int n) { return n == i; }));
    server_->gate.Tick();
    EXPECT_TRUE(writer->open());
  }
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());
  ExpectEnded(1);
}

TEST_F(ServerStreamsTest, DrainTellsIdleStreamsAndCutsOffStuckOnes) {
  Start({}, {.grace = absl::Milliseconds(300)});
  OnWatch([](WatchSession& session, std::shared_ptr<WatchStreamWriter> writer) {
    session.on_drain = [writer](absl::Duration retry_after) {
      EXPECT_LE(retry_after, absl::Seconds(2));
      writer->Send(Big(1));
      writer->Finish();
    };
  });
  grpc::ClientContext idle_context;
  std::unique_ptr<Stream> idle = stub_->WatchDrivers(&idle_context);
  Opened(0);
  // The queue of this stream never drains, because its client does not read.
  grpc::ClientContext stuck_context;
  std::unique_ptr<Stream> stuck = stub_->WatchDrivers(&stuck_context);
  const std::shared_ptr<WatchStreamWriter> stuck_writer = Opened(1);
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(stuck_writer->Send(Big(64'000)));
  // The session of this stream ignores the drain.
  OnWatch([](WatchSession& session, const std::shared_ptr<WatchStreamWriter>&) {
    session.on_drain = [](absl::Duration) {};
  });
  grpc::ClientContext deaf_context;
  std::unique_ptr<Stream> deaf = stub_->WatchDrivers(&deaf_context);
  Opened(2);

  std::thread host([&] { server_->host.Drain(); });
  v1::WatchDriversResponse message;
  ASSERT_TRUE(idle->Read(&message));
  EXPECT_TRUE(message.has_draining());
  EXPECT_FALSE(idle->Read(&message));
  EXPECT_TRUE(idle->Finish().ok());
  host.join();
  const absl::Status cut_off = FromGrpc(deaf->Finish());
  EXPECT_EQ(cut_off.code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(HasReason(cut_off, Reason::kDraining));
  while (stuck->Read(&message)) {
  }
  EXPECT_FALSE(stuck->Finish().ok());
  ExpectEnded(3);
}

TEST_F(ServerStreamsTest, AStreamThatIsOldIsToldToGoOnce) {
  Start({.stream_age = absl::Seconds(100)}, {}, {.must_beat = false});
  Watched<int> drains;
  OnWatch([&drains](WatchSession& session, const std::shared_ptr<WatchStreamWriter>&) {
    session.on_drain = [&drains](absl::Duration) { drains.Update([](int& n) { ++n; }); };
  });
  Watched<bool> kept_open;
  server_->service.on_report = [&](ReportSession& session, const std::shared_ptr<StreamWriterBase>&) {
    session.on_drain = [&drains](absl::Duration) { drains.Update([](int& n) { ++n; }); };
    kept_open.Update([](bool& value) { value = true; });
  };
  grpc::ClientContext context, kept_context, next_context;
  std::unique_ptr<Stream> stream = stub_->WatchDrivers(&context);
  Opened(0);
  v1::ReportLocationsResponse kept_response;
  auto kept = stub_->ReportLocations(&kept_context, &kept_response);
  ASSERT_TRUE(kept_open.WaitFor([](bool value) { return value; }));
  server_->clock.Advance(absl::Seconds(89));
  server_->gate.Tick();
  EXPECT_EQ(drains.Get(), 0);
  server_->clock.Advance(absl::Seconds(22));
  server_->gate.Tick();
  server_->gate.Tick();
  EXPECT_EQ(drains.Get(), 1) << "only the stream that ages";
  // A new stream is accepted.
  std::unique_ptr<Stream> next = stub_->WatchDrivers(&next_context);
  EXPECT_TRUE(Opened(1)->open());
  for (grpc::ClientContext* each : {&context, &kept_context, &next_context}) each->TryCancel();
  for (Stream* each : {stream.get(), next.get()}) EXPECT_FALSE(each->Finish().ok());
  EXPECT_FALSE(kept->Finish().ok());
  ExpectEnded(2);
}

TEST_F(ServerStreamsTest, ACallerWithoutAnIdentityOpensNoStream) {
  const OneIdentity refuses(
      MakeError(absl::StatusCode::kUnauthenticated, "no good", {.reason = Reason::kTokenInvalid}));
  Start({}, {}, {.greets = true}, &refuses);
  OnWatch([](WatchSession&, const std::shared_ptr<WatchStreamWriter>&) {});
  grpc::ClientContext context, report_context;
  EXPECT_TRUE(HasReason(FromGrpc(stub_->WatchDrivers(&context)->Finish()), Reason::kTokenInvalid));
  v1::ReportLocationsResponse response;
  EXPECT_TRUE(HasReason(FromGrpc(stub_->ReportLocations(&report_context, &response)->Finish()), Reason::kTokenInvalid));
  EXPECT_TRUE(server_->observer.WaitFor("WatchDrivers UNAUTHENTICATED"));
  EXPECT_TRUE(server_->observer.WaitFor("ReportLocations UNAUTHENTICATED"));
  ExpectEnded(0);
}

TEST_F(ServerStreamsTest, AStreamEndsWithItsCallersIdentity) {
  OneIdentity identity{auth::Caller()};
  Start({}, {}, {.must_beat = false}, &identity);
  const absl::Time begin = server_->clock.Read().wall;
  const auto expires_after = [&](absl::Duration time) {
    identity.Set(auth::Caller({.role = auth::Role::kRider, .expires = begin + time}));
  };
  const auto tick_at = [&](absl::Duration time) {
    server_->clock.Advance(begin + time - server_->clock.Read().wall);
    server_->gate.Tick();
  };
  Watched<int> drains;
  OnWatch([&drains](WatchSession& session, const std::shared_ptr<WatchStreamWriter>&) {
    session.on_drain = [&drains](absl::Duration) { drains.Update([](int& n) { ++n; }); };
  });
  grpc::ClientContext context, late_context, renewed_context;
  expires_after(absl::Seconds(200));
  std::unique_ptr<Stream> stream = stub_->WatchDrivers(&context);
  Opened(0);
  tick_at(absl::Seconds(109));
  EXPECT_EQ(drains.Get(), 0);
  tick_at(absl::Seconds(111));
  server_->gate.Tick();
  EXPECT_EQ(drains.Get(), 1);

  // With the same token the next stream would be drained at once, over and over: it lives until the end instead.
  std::unique_ptr<Stream> late = stub_->WatchDrivers(&late_context);
  Opened(1);
  expires_after(absl::Seconds(3600));
  std::unique_ptr<Stream> renewed = stub_->WatchDrivers(&renewed_context);
  Opened(2);
  tick_at(absl::Seconds(199));
  EXPECT_EQ(drains.Get(), 1);
  EXPECT_TRUE(Opened(0)->open() && Opened(1)->open());
  tick_at(absl::Seconds(200));
  for (Stream* each : {stream.get(), late.get()}) {
    const absl::Status ended = FromGrpc(each->Finish());
    EXPECT_EQ(ended.code(), absl::StatusCode::kUnauthenticated);
    EXPECT_TRUE(HasReason(ended, Reason::kTokenExpired)) << ended;
  }
  EXPECT_TRUE(Opened(2)->open());
  renewed_context.TryCancel();
  EXPECT_FALSE(renewed->Finish().ok());
  ExpectEnded(3);
}

TEST_F(ServerStreamsTest, AStreamOpenedWhileDrainingIsRefused) {
  Start();
  OnWatch([](WatchSession&, const std::shared_ptr<WatchStreamWriter>&) {});
  server_->gate.Drain(absl::ZeroDuration());
  grpc::ClientContext context;
  EXPECT_TRUE(HasReason(FromGrpc(stub_->WatchDrivers(&context)->Finish()), Reason::kDraining));
  ExpectEnded(0);
}

// Sending, finishing, aborting and canceling race. Each stream ends once, and nothing touches it afterwards.
TEST_F(ServerStreamsTest, EndsOnceInAnyOrderOfThings) {
  Start();
  OnWatch([](WatchSession& session, std::shared_ptr<WatchStreamWriter> writer) {
    session.on_message = [writer](const v1::WatchDriversRequest&) { writer->Send(Numbered(1)); };
  });
  constexpr int kRounds = 150;
  for (int round = 0; round < kRounds; ++round) {
    grpc::ClientContext context;
    std::unique_ptr<Stream> stream = stub_->WatchDrivers(&context);
    stream->Write(Subscribe("d"));
    const std::shared_ptr<WatchStreamWriter> writer = Opened(static_cast<std::size_t>(round));
    std::atomic<bool> go{false};
    std::vector<std::thread> threads;
    const auto race = [&](std::function<void()> what) {
      threads.emplace_back([&go, what = std::move(what)] {
        while (!go) std::this_thread::yield();
        what();
      });
    };
    race([&] {
      for (int i = 0; i < 20; ++i) writer->Send(Numbered(i));
    });
    race([&, round] {
      if (round % 3 != 0) writer->Finish();
    });
    race([&, round] {
      if (round % 3 != 1) context.TryCancel();
    });
    race([&, round] {
      if (round % 5 == 0) writer->Abort(Internal("x"));
      if (round % 5 == 1) writer->Cancel(Internal("y"));
    });
    race([&, round] {
      if (round % 7 == 0) server_->gate.CancelStreams();
      server_->gate.Tick();
    });
    go = true;
    for (std::thread& thread : threads) thread.join();
    v1::WatchDriversResponse message;
    while (stream->Read(&message)) {
    }
    stream->Finish();
    // The client's cancel returns before the server notices it.
    ASSERT_TRUE(server_->gate.WaitIdle(kPatience));
    EXPECT_FALSE(writer->Send(Numbered(1)));
  }
  ExpectEnded(kRounds);
}

TEST_F(ServerStreamsTest, AClientStreamIsHeardAndAnsweredAtItsEnd) {
  Start();
  Watched<int> received;
  server_->service.on_report = [&received](ReportSession& session, const std::shared_ptr<StreamWriterBase>&) {
    session.on_message = [&received](const v1::ReportLocationsRequest& message) {
      received.Update([&](int& n) { n += message.locations_size(); });
    };
  };
  grpc::ClientContext context;
  v1::ReportLocationsResponse response;
  auto writer = stub_->ReportLocations(&context, &response);
  v1::ReportLocationsRequest message;
  message.add_locations();
  message.add_locations();
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(writer->Write(message));
  writer->WritesDone();
  EXPECT_TRUE(writer->Finish().ok());
  EXPECT_EQ(received.Get(), 20);
  EXPECT_TRUE(server_->gate.WaitIdle(kPatience));
}

TEST_F(ServerStreamsTest, AClientStreamEndsWhenDrained) {
  Start();
  Watched<bool> open;
  server_->service.on_report = [&open](ReportSession&, const std::shared_ptr<StreamWriterBase>&) {
    open.Update([](bool& value) { value = true; });
  };
  grpc::ClientContext context;
  v1::ReportLocationsResponse response;
  auto writer = stub_->ReportLocations(&context, &response);
  ASSERT_TRUE(open.WaitFor([](bool value) { return value; }));
  server_->gate.Drain(absl::ZeroDuration());
  EXPECT_TRUE(writer->Finish().ok());
  EXPECT_TRUE(server_->gate.WaitIdle(kPatience));
}

class CountingService final : public Service {
 public:
  // WatchRide counts up to after_sequence; an unset one leaves the stream open until it is drained.
  explicit CountingService(Gate* gate)
      : Service(gate, hail::rider::v1::RiderService::service_full_name(), &ChecksNobody()) {
    using Request = hail::rider::v1::WatchRideRequest;
    using Response = hail::rider::v1::WatchRideResponse;
    ServerStream<Request, Response>(
        "WatchRide", {.greets = true},
        [](const Request& request, const std::shared_ptr<StreamWriter<Response>>& writer, const CallContext&) {
          if (request.has_after_sequence()) {
            for (int i = 1; i <= request.after_sequence(); ++i) {
              Response message;
              message.mutable_heartbeat()->set_sequence(i);
              writer->Send(std::move(message));
            }
            writer->Finish();
          }
          return std::make_shared<FunctionSession<int>>(writer);
        });
  }
};

// In real time, as the gate's own thread ticks the streams.
TEST(Gate, LooksAfterEachOfManyStreams) {
  struct Looked : LiveStream {
    explicit Looked(absl::BlockingCounter* all) : all(all) {}
    // The gate ticks the stream again, whatever time this returns.
    absl::Time Tick(absl::Time) override {
      if (++ticks <= 3) all->DecrementCount();
      return ticks == 1 ? absl::InfinitePast() : absl::InfiniteFuture();
    }
    void Drain(absl::Duration) override {}
    void Cancel() override {}
    absl::BlockingCounter* const all;
    int ticks = 0;
  };
  for (const int count : {1, 9, 257}) {
    absl::BlockingCounter all(3 * count);
    std::vector<std::shared_ptr<Looked>> streams;
    SystemClock clock;
    Gate gate(&clock, {.tick = absl::Milliseconds(20)}, nullptr);
    for (int i = 0; i < count; ++i) {
      streams.push_back(std::make_shared<Looked>(&all));
      ASSERT_TRUE(gate.EnterStream(streams.back()).ok());
    }
    all.Wait();
  }
}

TEST(ServerStreamTest, SendsFinishesAndIsDrained) {
  FakeClock clock;
  Gate gate(&clock, {.tick = absl::ZeroDuration()}, nullptr);
  CountingService service(&gate);
  ServiceHost host({}, &gate);
  ASSERT_TRUE(host.Start({&service}, {}, [] { return true; }).ok());
  auto stub = hail::rider::v1::RiderService::NewStub(MakeChannel("127.0.0.1:" + std::to_string(host.port())));
  hail::rider::v1::WatchRideResponse message;
  {
    grpc::ClientContext context;
    hail::rider::v1::WatchRideRequest request;
    request.set_after_sequence(50);
    auto reader = stub->WatchRide(&context, request);
    int last = 0;
    while (reader->Read(&message)) last = static_cast<int>(message.heartbeat().sequence());
    EXPECT_TRUE(reader->Finish().ok());
    EXPECT_EQ(last, 50);
  }
  ASSERT_TRUE(gate.WaitIdle(kPatience));
  grpc::ClientContext context;
  auto reader = stub->WatchRide(&context, {});
  reader->WaitForInitialMetadata();
  // The client of a server stream sends nothing, so it never counts as silent.
  clock.Advance(absl::Minutes(10));
  gate.Tick();
  EXPECT_EQ(gate.streams(), 1u);
  host.Drain();
  EXPECT_FALSE(reader->Read(&message));
  EXPECT_TRUE(reader->Finish().ok());
  EXPECT_EQ(gate.streams(), 0u);
}

}  // namespace
}  // namespace hail::rpc
