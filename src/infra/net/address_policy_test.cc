#include "infra/net/address_policy.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include <string>

namespace myelin::net {
namespace {

bool is_public(const std::string& text) {
  sockaddr_storage storage{};
  auto* in4 = reinterpret_cast<sockaddr_in*>(&storage);
  auto* in6 = reinterpret_cast<sockaddr_in6*>(&storage);
  if (inet_pton(AF_INET, text.c_str(), &in4->sin_addr) == 1)
    in4->sin_family = AF_INET;
  else if (inet_pton(AF_INET6, text.c_str(), &in6->sin6_addr) == 1)
    in6->sin6_family = AF_INET6;
  else
    ADD_FAILURE() << text;
  return is_public_address(reinterpret_cast<const sockaddr&>(storage));
}

TEST(AddressPolicy, LetsPublicAddressesThrough) {
  for (const char* address : {"1.1.1.1", "9.255.255.255", "11.0.0.1", "100.63.255.255", "100.128.0.1", "172.15.0.1",
                              "172.32.0.1", "192.167.1.1", "223.255.255.255", "2606:4700::1", "2a00::1",
                              "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"})
    EXPECT_TRUE(is_public(address)) << address;
}

TEST(AddressPolicy, DeniesAddressesOfOurOwnNetworks) {
  for (const char* address : {"0.0.0.0",
                              "10.1.2.3",
                              "100.64.0.1",
                              "127.0.0.1",
                              "127.255.255.255",
                              "169.254.169.254",
                              "172.16.0.1",
                              "172.31.255.255",
                              "192.168.1.1",
                              "198.18.0.1",
                              "203.0.113.9",
                              "224.0.0.1",
                              "255.255.255.255",
                              "::",
                              "::1",
                              "fe80::1",
                              "fc00::1",
                              "fd12::1",
                              "ff02::1",
                              "::ffff:127.0.0.1",
                              "::ffff:192.168.0.1",
                              "64:ff9b::7f00:1",
                              "2002:7f00:1::1",
                              "2001:db8::1",
                              "2001::1",
                              "3fff::1",
                              "64:ff9b:1::1",
                              "100::1",
                              "192.0.0.8",
                              "240.0.0.1",
                              "::127.0.0.1",
                              "fec0::1"})
    EXPECT_FALSE(is_public(address)) << address;
}

}  // namespace
}  // namespace myelin::net
