#include "common/service/secured.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/temp_file.h"

namespace hail {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(DoubtsTest, OrdinarySettingsRaiseNone) {
  EXPECT_THAT(Doubts({}), ElementsAre());
  config::ServiceSettings settings;
  settings.time_scale.scale = 30;
  settings.store_database = postgres::ParseUrl("postgres://hail@localhost/city").value();
  settings.nats_url = "nats://hail:secret@127.0.0.1:4222,nats://localhost:4223";
  EXPECT_THAT(Doubts(settings), ElementsAre());
}

TEST(DoubtsTest, ConnectionsThatOthersCanReadAreNamed) {
  config::ServiceSettings settings;
  settings.store_database = postgres::ParseUrl("postgres://hail:secret@db/city?sslmode=require").value();
  settings.nats_url = "tls://a:4222,nats://hail:secret@nats:4222";
  EXPECT_THAT(Doubts(settings), ElementsAre(HasSubstr("verify-full"), HasSubstr("bus.ca")));
  settings.store_database = postgres::ParseUrl("postgres://db/city?sslmode=verify-full").value();
  settings.nats_files.ca = "ca.crt";
  EXPECT_THAT(Doubts(settings), ElementsAre());
}

TEST(DoubtsTest, WhatDoesNotGoWithTlsIsNamed) {
  const hail::testing::TempDirectory folder;
  config::ServiceSettings settings;
  settings.tls.emplace();
  settings.tls->files.key = folder.Write("key", "");
  chmod(settings.tls->files.key.c_str(), 0640);
  EXPECT_TRUE(IsSecured(settings));
  EXPECT_THAT(Doubts(settings), ElementsAre());
  chmod(settings.tls->files.key.c_str(), 0644);
  settings.time_scale.scale = 30;
  EXPECT_THAT(Doubts(settings), ElementsAre(HasSubstr("time_scale is 30"), HasSubstr("readable by every user")));
}

TEST(KeepMemoryPrivateDeathTest, NoCoresAndNoReaders) {
  EXPECT_EXIT(
      {
        KeepMemoryPrivate();
        rlimit cores{};
        getrlimit(RLIMIT_CORE, &cores);
        std::exit(cores.rlim_max == 0 && prctl(PR_GET_DUMPABLE) == 0 ? 0 : 1);
      },
      ::testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace hail
