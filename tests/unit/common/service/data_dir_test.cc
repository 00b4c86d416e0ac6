#include "common/service/data_dir.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>

namespace hail {
namespace {

namespace fs = std::filesystem;

class DataDirTest : public ::testing::Test {
 protected:
  DataDirTest() {
    std::string pattern = (fs::temp_directory_path() / "hail-data-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
  }
  ~DataDirTest() override { fs::remove_all(folder_); }

  // The mode of `folder_`, which holds the database, after a start with `data_dir`.
  mode_t After(const fs::path& data_dir) {
    config::ServiceSettings settings;
    settings.data_dir = data_dir.string();
    settings.store_path = (folder_ / "rider.db").string();
    status_ = KeepDataPrivate(settings);
    struct stat found {};
    stat(folder_.c_str(), &found);
    return found.st_mode & 0777;
  }

  fs::path folder_;
  absl::Status status_;
};

TEST_F(DataDirTest, ShutsOthersOutOfADirectoryThatIsForDataAlone) {
  chmod(folder_.c_str(), 0755);
  EXPECT_EQ(After(folder_ / "."), 0700u);
  EXPECT_TRUE(status_.ok()) << status_;
}

TEST_F(DataDirTest, LeavesAnyOtherDirectoryAsItIs) {
  chmod(folder_.c_str(), 0755);
  EXPECT_EQ(After("hail-data"), 0755u);
  EXPECT_TRUE(status_.ok()) << status_;
}

TEST_F(DataDirTest, RefusesWhatBelongsToSomebodyElse) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can give a directory away";
  ASSERT_EQ(chown(folder_.c_str(), 10001, 10001), 0);
  EXPECT_EQ(After(folder_), 0700u);
  EXPECT_EQ(status_.code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace hail
