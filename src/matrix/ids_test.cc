#include "matrix/ids.h"

#include <gtest/gtest.h>

#include <unordered_set>

namespace myelin {
namespace {

using namespace std::string_literals;

TEST(ServerName, TakesTheGrammarOfTheAppendices) {
  for (auto name : {"matrix.org", "matrix.org:8888", "1.2.3.4", "1.2.3.4:1234", "[1234:5678::abcd]",
                    "[1234:5678::abcd]:5678", "[::1]", "[::ffff:1.2.3.4]:8448", "localhost", "a", "UPPER.example",
                    "x-y.z", "a:0", "a:65535", "a:65536", "a:99999"})
    EXPECT_TRUE(ServerName::parse(name)) << name;
  EXPECT_TRUE(ServerName::parse(std::string(255, 'a')));
}

TEST(ServerName, RefusesTheRest) {
  for (auto name : {""s,
                    ":8448"s,
                    "a:"s,
                    "a:x"s,
                    "a:123456"s,
                    "a:-1"s,
                    "a:+1"s,
                    "a:1 "s,
                    "a b"s,
                    "a/b"s,
                    "a@b"s,
                    "a_b"s,
                    "é.org"s,
                    "[::1"s,
                    "::1"s,
                    "[]"s,
                    "[g::1]"s,
                    "[::1]x"s,
                    "[::1]8448"s,
                    "[::1]:"s,
                    "[1.2.3.4]"s,
                    "[1:2:3:4:5:6:7:8:9]"s,
                    "[fe80::1%eth0]"s,
                    "a\0b"s,
                    "[::1\0]"s,
                    "a:80:80"s,
                    "a?b"s,
                    "a#b"s,
                    "a%41"s,
                    " a"s,
                    std::string(256, 'a')})
    EXPECT_FALSE(ServerName::parse(name)) << name;
  EXPECT_EQ(ServerName::parse("").error().code, Code::kInvalidParam);
}

TEST(ServerName, HostAndLiteral) {
  struct {
    const char *name, *host;
    bool literal;
  } cases[] = {
      {"matrix.org", "matrix.org", false},
      {"matrix.org:8448", "matrix.org", false},
      {"1.2.3.4:1", "1.2.3.4", true},
      {"[::1]:8448", "[::1]", true},
      {"[::1]", "[::1]", true},
      {"1.2.3.256", "1.2.3.256", false},
      {"1.2.3", "1.2.3", false},
      {"1.2.3.4.5", "1.2.3.4.5", false},
      {"01.2.3.4", "01.2.3.4", true},
      {"1.2.3.4.", "1.2.3.4.", false},
  };
  for (auto& c : cases) {
    auto name = *ServerName::parse(c.name);
    EXPECT_EQ(name.host(), c.host);
    EXPECT_EQ(name.is_ip_literal(), c.literal) << c.name;
  }
}

TEST(ServerName, Port) {
  EXPECT_EQ(ServerName::parse("matrix.org")->port(), std::nullopt);
  EXPECT_EQ(ServerName::parse("matrix.org:08448")->port(), 8448);
  EXPECT_EQ(ServerName::parse("[::1]")->port(), std::nullopt);
  EXPECT_EQ(ServerName::parse("[::1]:65535")->port(), 65535);
  EXPECT_EQ(ServerName::parse("matrix.org:65536")->port(), 0);
  EXPECT_EQ(ServerName::parse("matrix.org:99999")->port(), 0);
}

TEST(UserId, AcceptsTheHistoricalGrammar) {
  for (auto id : {"@alice:matrix.org"s, "@:matrix.org"s, "@ALICE:matrix.org"s, "@a b\t\x01:x"s, "@日本:x:1"s,
                  "@a/b+c=d:[::1]:2"s, "@!#$:x"s})
    EXPECT_TRUE(UserId::parse(id)) << id;
  for (auto id : {""s, "@"s, "alice:x"s, "@alice"s, "@alice:"s, "@a:b:c"s, "@a\0b:x"s, "@\xff:x"s, "@\xed\xa0\x80:x"s,
                  "#a:x"s, "@a:x y"s, "@" + std::string(252, 'a') + ":xy"})
    EXPECT_FALSE(UserId::parse(id)) << id;
  EXPECT_TRUE(UserId::parse("@" + std::string(252, 'a') + ":x"));
}

TEST(UserId, MakesByTheStrictGrammar) {
  auto server = *ServerName::parse("x.org:8448");
  EXPECT_EQ(UserId::make("a-z_0.9=/+", server)->str(), "@a-z_0.9=/+:x.org:8448");
  for (auto name : {""s, "Alice"s, "a b"s, "a:b"s, "é"s, "a!"s, "a\0"s}) {
    auto id = UserId::make(name, server);
    ASSERT_FALSE(id) << name;
    EXPECT_EQ(id.error().code, Code::kInvalidUsername);
  }
  EXPECT_TRUE(UserId::make(std::string(243, 'a'), server));
  EXPECT_FALSE(UserId::make(std::string(244, 'a'), server));
}

TEST(UserId, Parts) {
  auto id = *UserId::parse("@alice:[::1]:8448");
  EXPECT_EQ(id.localpart(), "alice");
  EXPECT_EQ(id.server(), "[::1]:8448");
  EXPECT_EQ(UserId::parse("@:x")->localpart(), "");
  EXPECT_EQ(UserId().server(), "");
  EXPECT_EQ(UserId().localpart(), "");
}

TEST(RoomId, WithDomainOrHash) {
  std::string hash = "31hneApxJ_1o-63DmFrpeqnkFfWppnzWso1JvH3ogLM";
  for (auto id : {"!abc:x.org"s, "!a b:x"s, "!" + hash}) EXPECT_TRUE(RoomId::parse(id)) << id;
  for (auto id : {"!abc"s, "!"s, "abc:x"s, "!" + hash + "A", "!" + hash.substr(1), "!" + hash.substr(1) + "/", "!abc:"s,
                  "!a\0:x"s})
    EXPECT_FALSE(RoomId::parse(id)) << id;
  EXPECT_TRUE(RoomId::parse("!" + std::string(252, 'a') + ":x"));
  EXPECT_FALSE(RoomId::parse("!" + std::string(253, 'a') + ":x"));
}

TEST(RoomId, OursHaveAStrictGrammar) {
  auto server = *ServerName::parse("x");
  EXPECT_EQ(RoomId::make("aZ09", server)->str(), "!aZ09:x");
  for (auto opaque : {""s, "a b"s, "a-b"s, "é"s, "a:b"s, "a\0"s, std::string(253, 'a')})
    EXPECT_FALSE(RoomId::make(opaque, server)) << opaque;
}

TEST(EventId, OursHaveAStrictGrammar) {
  auto server = *ServerName::parse("x");
  EXPECT_EQ(EventId::make("aZ09-_.~", server)->str(), "$aZ09-_.~:x");
  for (auto opaque : {""s, "a b"s, "a/b"s, "a+b"s, "é"s, "a:b"s, std::string(253, 'a')})
    EXPECT_FALSE(EventId::make(opaque, server)) << opaque;
}

TEST(EventId, IsOpaque) {
  for (auto id : {"$a:x.org"s, "$acR1l0raoZnm60CBwAVgqbZqoO/mYU81xysh1u7XcJk"s, "$x"s}) EXPECT_TRUE(EventId::parse(id));
  EXPECT_TRUE(EventId::parse("$" + std::string(254, 'a')));
  for (auto id : {""s, "$"s, "a:x"s, "$a\0"s, "$\xff"s, "$" + std::string(255, 'a')}) EXPECT_FALSE(EventId::parse(id));
}

TEST(RoomAlias, ParsesAndMakes) {
  auto alias = *RoomAlias::parse("#matrix hq é:matrix.org:1");
  EXPECT_EQ(alias.localpart(), "matrix hq é");
  EXPECT_EQ(alias.server(), "matrix.org:1");
  auto server = *ServerName::parse("x");
  EXPECT_EQ(RoomAlias::make("room", server)->str(), "#room:x");
  for (auto name : {""s, "a:b"s, "a\0"s, "\xff"s, std::string(254, 'a')}) EXPECT_FALSE(RoomAlias::make(name, server));
}

TEST(DeviceId, OursHaveAStrictGrammar) {
  EXPECT_EQ(DeviceId::make("aZ09-_.~")->str(), "aZ09-_.~");
  for (auto id : {""s, "a b"s, "a:b"s, "é"s, std::string(256, 'D')}) EXPECT_FALSE(DeviceId::make(id)) << id;
}

TEST(DeviceId, HasOneTo255Bytes) {
  EXPECT_TRUE(DeviceId::parse("ABCDEF"));
  EXPECT_TRUE(DeviceId::parse(std::string(255, 'D')));
  for (auto id : {""s, std::string(256, 'D'), "\xff"s, "a\0b"s}) EXPECT_FALSE(DeviceId::parse(id));
}

TEST(Ids, AreMeasuredInBytes) {
  std::string letters;  // 252 bytes
  for (int i = 0; i < 126; ++i) letters += "é";
  auto x = *ServerName::parse("x"), xy = *ServerName::parse("xy");
  EXPECT_TRUE(UserId::parse("@" + letters + ":x"));
  EXPECT_FALSE(UserId::parse("@" + letters + ":xy"));
  EXPECT_TRUE(RoomId::parse("!" + letters + ":x"));
  EXPECT_FALSE(RoomId::parse("!" + letters + ":xy"));
  EXPECT_TRUE(RoomAlias::parse("#" + letters + ":x"));
  EXPECT_FALSE(RoomAlias::parse("#" + letters + ":xy"));
  EXPECT_TRUE(RoomAlias::make(letters, x));
  EXPECT_FALSE(RoomAlias::make(letters, xy));
  EXPECT_TRUE(EventId::parse("$" + letters + "é"));
  EXPECT_FALSE(EventId::parse("$" + letters + "éx"));
  EXPECT_TRUE(DeviceId::parse(letters + "éx"));
  EXPECT_FALSE(DeviceId::parse(letters + "éé"));
}

TEST(Ids, AreValues) {
  auto a = *UserId::parse("@a:x"), b = *UserId::parse("@b:x");
  EXPECT_LT(a, b);
  EXPECT_EQ(a, UserId::trusted("@a:x"));
  EXPECT_EQ(fmt::format("{}", a), "@a:x");
  EXPECT_EQ((std::unordered_set<UserId>{a, b, a}.size()), 2u);
}

TEST(Utf8, AcceptsExactlyTheScalarValues) {
  for (auto good : {""s, "a"s, "é"s, "\u0800"s, "\ud7ff"s, "\ue000"s, "\uffff"s, "\U00010000"s, "\U0010ffff"s})
    EXPECT_TRUE(is_valid_utf8(good));
  for (auto bad : {"\x80"s, "\xc0\xaf"s, "\xc2"s, "\xe0\x9f\xbf"s, "\xed\xa0\x80"s, "\xed\xbf\xbf"s,
                   "\xf0\x8f\xbf\xbf"s, "\xf4\x90\x80\x80"s, "\xf5\x80\x80\x80"s, "\xe1\x80"s, "\xe1\x80z"s})
    EXPECT_FALSE(is_valid_utf8(bad));
}

TEST(MxcUri, HasAServerAndAMediaId) {
  auto uri = MxcUri::parse("mxc://[::1]:8448/aZ_-09");
  ASSERT_TRUE(uri);
  EXPECT_EQ(uri->server(), "[::1]:8448");
  EXPECT_EQ(uri->media_id(), "aZ_-09");
  EXPECT_EQ(MxcUri::make(ServerName::trusted("x.org"), "abc")->str(), "mxc://x.org/abc");
  EXPECT_TRUE(MxcUri::parse("mxc://" + std::string(255, 's') + "/" + std::string(255, 'm')));
  for (auto text : {""s, "mxc://"s, "mxc:/x/a"s, "MXC://x/a"s, "http://x/a"s, "mxc://x"s, "mxc://x/"s, "mxc:///a"s,
                    "mxc://x/a/b"s, "mxc://x/a.b"s, "mxc://x/a%20"s, "mxc://x/é"s, "mxc://x y/a"s, "mxc://x/a\0"s,
                    "mxc://x/../a"s, "mxc://x/" + std::string(256, 'm'), "mxc://" + std::string(256, 's') + "/m"})
    EXPECT_FALSE(MxcUri::parse(text)) << text;
  EXPECT_FALSE(MxcUri::make(ServerName::trusted("x.org"), "../a"));
}

TEST(SigningKeyId, IsAnAlgorithmAndAVersion) {
  auto id = SigningKeyId::parse("ed25519:a_AbC9");
  ASSERT_TRUE(id);
  EXPECT_EQ(id->version(), "a_AbC9");
  EXPECT_EQ(SigningKeyId::make("1")->str(), "ed25519:1");
  for (auto text : {""s, "ed25519"s, "ed25519:"s, "rsa:1"s, "ed25519:a b"s, "ed25519:a:b"s, "ed25519:a-b"s,
                    "ed25519:a.b"s, "ed25519:\n"s, "ed25519:é"s, "ed25519:a\0"s, "ed25519:" + std::string(248, 'v')})
    EXPECT_FALSE(SigningKeyId::parse(text)) << text;
  EXPECT_FALSE(SigningKeyId::make(""));
}

// Appendices, Common Namespaced Identifier Grammar.
TEST(NamespacedId, TakesTheCommonGrammar) {
  for (auto text : {"m.login.password", "m", "com.example.thing", "a-b_c.9"})
    EXPECT_TRUE(NamespacedId::parse(text)) << text;
  EXPECT_TRUE(NamespacedId::parse(std::string(255, 'n')));
  EXPECT_TRUE(NamespacedId::parse("m.x")->is_reserved());
  EXPECT_FALSE(NamespacedId::parse("mx.y")->is_reserved());
  for (auto text :
       {""s, "M.login"s, ".m"s, "_m"s, "-m"s, "9m"s, "m.É"s, "m.A"s, "m x"s, "m/x"s, "m\0"s, std::string(256, 'n')})
    EXPECT_FALSE(NamespacedId::parse(text)) << text;
}

}  // namespace
}  // namespace myelin
