// The README leads to what there is, and its tour is the example that is built.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>

namespace myelin {
namespace {

const std::filesystem::path kFolder = "src/matrix";

std::string read(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

TEST(Readme, TheTourIsTheExample) {
  auto example = read(kFolder / "examples/resolve_state.cc");
  auto code = example.substr(example.find("#include"));
  ASSERT_FALSE(code.empty());
  EXPECT_NE(read(kFolder / "README.md").find("```cpp\n" + code + "```"), std::string::npos);
}

TEST(Readme, NamesFilesThatExist) {
  auto text = read(kFolder / "README.md");
  std::regex file("`([a-z0-9_./]+\\.(h|cc|jsonl|txt))`");
  int count = 0;
  for (std::sregex_iterator it(text.begin(), text.end(), file), end; it != end; ++it, ++count)
    EXPECT_TRUE(std::filesystem::exists(kFolder / (*it)[1].str())) << (*it)[1];
  EXPECT_GT(count, 30);
}

TEST(Readme, LeadsToEveryPublicHeader) {
  auto text = read(kFolder / "README.md");
  for (auto& entry : std::filesystem::directory_iterator(kFolder)) {
    auto name = entry.path().stem().string();
    if (entry.path().extension() != ".h" || name == "event_builder") continue;
    bool named = text.find("`" + name + ".h`") != text.npos || text.find("`" + name + ".cc`") != text.npos;
    EXPECT_TRUE(named) << name;
  }
}

}  // namespace
}  // namespace myelin
