#include "common/tls/private_identity.h"

#include <sys/stat.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <set>
#include <thread>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/temp_file.h"

namespace hail::tls {
namespace {

IdentityPem Numbered(int number) {
  const std::string text = std::to_string(number);
  return {.certificate = text, .key = text, .ca = text};
}

std::string Text(const std::string& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

time_t Changed(const std::string& path) {
  struct stat found {};
  stat(path.c_str(), &found);
  return found.st_mtime;
}

TEST(PrivateIdentityTest, OnlyThisUserReadsTheCopies) {
  const hail::testing::TempDirectory parent;
  auto made = PrivateIdentity::MakeIn(parent.path(""));
  ASSERT_TRUE(made.ok()) << made.status();
  ASSERT_TRUE(made->Publish(Numbered(7)).ok());
  EXPECT_EQ(Text(made->files().key), "7");
  for (const auto& entry : std::filesystem::recursive_directory_iterator(parent.path(""))) {
    if (entry.is_symlink()) continue;
    EXPECT_EQ(entry.status().permissions() & (std::filesystem::perms::group_all | std::filesystem::perms::others_all),
              std::filesystem::perms::none)
        << entry.path();
  }
}

TEST(PrivateIdentityTest, TheFolderIsGoneAtTheEnd) {
  const hail::testing::TempDirectory parent;
  {
    auto made = PrivateIdentity::MakeIn(parent.path(""));
    ASSERT_TRUE(made.ok() && made->Publish(Numbered(1)).ok());
    EXPECT_FALSE(std::filesystem::is_empty(parent.path("")));
  }
  EXPECT_TRUE(std::filesystem::is_empty(parent.path("")));
}

TEST(PrivateIdentityTest, WhatAKilledProcessLeftIsRemovedAndNothingElse) {
  const hail::testing::TempDirectory parent;
  auto living = PrivateIdentity::MakeIn(parent.path(""));
  ASSERT_TRUE(living.ok() && living->Publish(Numbered(1)).ok());
  const std::string left = parent.path("hail-tls-killed");
  const std::string being_made = parent.path("hail-tls-young");
  const std::string foreign = parent.path("another");
  for (const std::string& folder : {left, being_made, foreign}) {
    std::filesystem::create_directories(folder + "/1");
    std::ofstream(folder + "/1/key.pem") << "key";
  }
  for (const std::string& folder : {left, foreign}) std::ofstream(folder + "/lock") << "";
  auto next = PrivateIdentity::MakeIn(parent.path(""));
  ASSERT_TRUE(next.ok());
  EXPECT_FALSE(std::filesystem::exists(left));
  EXPECT_TRUE(std::filesystem::exists(being_made));
  EXPECT_TRUE(std::filesystem::exists(foreign));
  EXPECT_EQ(Text(living->files().key), "1");
}

TEST(PrivateIdentityTest, AFailureLeavesTheSetBefore) {
  const hail::testing::TempDirectory parent;
  auto made = PrivateIdentity::MakeIn(parent.path(""));
  ASSERT_TRUE(made.ok() && made->Publish(Numbered(1)).ok());
  // The next set's folder is already there.
  const std::string folder = std::filesystem::path(made->files().key).parent_path().parent_path();
  std::ofstream(folder + "/2") << "in the way";
  EXPECT_FALSE(made->Publish(Numbered(2)).ok());
  EXPECT_EQ(Text(made->files().certificate), "1");
  EXPECT_TRUE(made->Publish(Numbered(3)).ok());
  EXPECT_EQ(Text(made->files().certificate), "3");
}

// As gRPC reads: both times of change before and after both files, and only what did not change between counts.
std::optional<std::pair<std::string, std::string>> ReadPair(const IdentityFiles& files) {
  const time_t key = Changed(files.key);
  const time_t certificate = Changed(files.certificate);
  std::pair read(Text(files.key), Text(files.certificate));
  if (key == 0 || key != Changed(files.key) || certificate != Changed(files.certificate)) return std::nullopt;
  return read;
}

TEST(PrivateIdentityTest, AReaderOfTwoFilesSeesOneSet) {
  const hail::testing::TempDirectory parent;
  auto made = PrivateIdentity::MakeIn(parent.path(""));
  ASSERT_TRUE(made.ok() && made->Publish(Numbered(1)).ok());
  std::atomic<bool> done{false};
  std::thread writer([&] {
    for (int i = 2; i < 300; ++i) EXPECT_TRUE(made->Publish(Numbered(i)).ok());
    done = true;
  });
  std::set<std::string> seen;
  while (!done) {
    const auto read = ReadPair(made->files());
    if (!read) continue;
    EXPECT_EQ(read->first, read->second);
    seen.insert(read->first);
  }
  writer.join();
  EXPECT_EQ(ReadPair(made->files()).value().first, "299");
  EXPECT_GT(seen.size(), 1u);
}

}  // namespace
}  // namespace hail::tls
