// Which addresses this server may be made to connect to: none of its own networks (attack: server-side request forgery
// through push gateways and server names). Any thread.
#pragma once
#include <sys/socket.h>

namespace myelin::net {

// False for loopback, private, link-local, shared, multicast, documentation and reserved ranges of IPv4 and IPv6, also
// where IPv6 embeds such an IPv4 address (IANA special-purpose address registries).
bool is_public_address(const sockaddr&);

}  // namespace myelin::net
