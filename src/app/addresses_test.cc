#include "app/addresses.h"

#include <gtest/gtest.h>

namespace myelin::app {
namespace {

TEST(IpRanges, HoldWhatBeginsWithTheSameBits) {
  struct Case {
    std::string range;
    std::vector<std::string> in, out;
  };
  for (const auto& [range, in, out] : std::vector<Case>{
           {"10.0.0.1", {"10.0.0.1", "::ffff:10.0.0.1"}, {"10.0.0.2", "::1", "", "x", "10.0.0.1/32"}},
           {"10.0.0.0/8", {"10.0.0.0", "10.255.255.255", "::ffff:10.1.2.3"}, {"11.0.0.0", "9.255.255.255", "::a00:1"}},
           {"172.16.0.0/12", {"172.16.0.1", "172.31.255.255"}, {"172.32.0.0", "172.15.255.255"}},
           {"192.0.2.7/31", {"192.0.2.6", "192.0.2.7"}, {"192.0.2.5", "192.0.2.8"}},
           {"0.0.0.0/0", {"0.0.0.0", "255.255.255.255"}, {"::1", "fd00::1"}},
           {"::1", {"::1", "0:0:0:0:0:0:0:1"}, {"::2", "127.0.0.1"}},
           {"fd00::/8", {"fd00::1", "fdff:ffff::1"}, {"fe00::1", "fc00::1", "10.0.0.1"}},
           {"2001:db8::/33", {"2001:db8:7fff::1"}, {"2001:db8:8000::1"}},
           {"::/0", {"::1", "2001:db8::1", "10.0.0.1"}, {"x"}},
       }) {
    IpRanges ranges({range});
    for (const auto& address : in) EXPECT_TRUE(ranges.contain(address)) << range << " " << address;
    for (const auto& address : out) EXPECT_FALSE(ranges.contain(address)) << range << " " << address;
  }
}

TEST(ClientAddress, IsWhatTheLastTrustedProxySays) {
  IpRanges trusted({"127.0.0.1", "10.0.0.0/8", "fd00::/8"});
  struct Case {
    std::string peer, forwarded_for, client;
  };
  for (const auto& [peer, forwarded_for, client] : std::vector<Case>{
           {"192.0.2.1", "198.51.100.1", "192.0.2.1"},  // nobody's proxy
           {"127.0.0.1", "", "127.0.0.1"},
           {"127.0.0.1", "198.51.100.1", "198.51.100.1"},
           {"10.1.2.3", "198.51.100.1, 10.9.9.9", "198.51.100.1"},
           {"fd00::5", "203.0.113.9,198.51.100.1 , fd00::6", "198.51.100.1"},
           {"10.1.2.3", "10.0.0.2, ", "10.1.2.3"},
       })
    EXPECT_EQ(client_address(peer, forwarded_for, trusted), client) << peer << " " << forwarded_for;
}

}  // namespace
}  // namespace myelin::app
