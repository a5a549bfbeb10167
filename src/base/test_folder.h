// For tests: a folder of one's own for files, gone with its owner.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

namespace mailward {

class TestFolder {
 public:
  TestFolder() : name_((std::filesystem::temp_directory_path() / "mailward-XXXXXX").string()) {
    if (!mkdtemp(name_.data())) ADD_FAILURE() << "no folder can be made: " << name_;
  }
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;
  ~TestFolder() {
    std::error_code gone;
    std::filesystem::remove_all(name_, gone);
  }
  const std::string& name() const { return name_; }
  std::string path(const std::string& file) const { return name_ + "/" + file; }

 private:
  std::string name_;
};

class FolderTest : public testing::Test {
 private:
  TestFolder owned_;

 protected:
  std::string folder_ = owned_.name();
};

}  // namespace mailward
