// A folder of its own for a test that needs files; gone with the test.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

namespace mailward {

class FolderTest : public testing::Test {
 protected:
  FolderTest() : folder_((std::filesystem::temp_directory_path() / "mailward-XXXXXX").string()) {
    if (!mkdtemp(folder_.data())) ADD_FAILURE() << "no folder can be made: " << folder_;
  }
  ~FolderTest() override {
    std::error_code gone;
    std::filesystem::remove_all(folder_, gone);
  }

  std::string folder_;
};

}  // namespace mailward
