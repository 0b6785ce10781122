#include <iostream>

#include "matrix/event.h"

int main() {
  using namespace myelin;
  SystemRandom random;
  auto& rules = *find_room_version(kDefaultRoomVersion);
  EventDraft draft{.sender = UserId::trusted("@ada:x"),
                   .type = "m.room.create",
                   .state_key = "",
                   .content = {{"room_version", rules.version}}};
  auto event =
      OwnEvent::build(draft, rules, ServerName::trusted("x"), SigningKey::generate(random, "1")).value().event();
  std::cout << "consumer: made room " << event->room_id().str() << '\n';
  return Event::parse(event->text(), rules).value()->room_id() == event->room_id() ? 0 : 1;
}
