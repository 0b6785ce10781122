// Steady time, and the timers on it that the loop waits with. The simulator (tests/simulate) has a header of this name
// with the same members, on a time of its own: what waits or reads steady time goes through here, or through a Clock.
#pragma once
#include <boost/asio/steady_timer.hpp>
#include <chrono>

namespace myelin {

using Timer = boost::asio::steady_timer;
std::chrono::steady_clock::time_point steady_now();  // any thread

}  // namespace myelin
