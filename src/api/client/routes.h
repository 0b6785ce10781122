// The client-server API, one function (and file) per section of the spec. Each adds its routes; `Components` is what
// they may call. Thread: the loop.
#pragma once
#include "api/router.h"
#include "components/accounts/accounts.h"
#include "components/directory/directory.h"
#include "components/keys/keys.h"
#include "components/presence/presence.h"
#include "components/push/push.h"
#include "components/rooms/rooms.h"
#include "components/sync/sync.h"
#include "infra/bus/bus.h"

namespace myelin::api {

struct Components {
  ServerName server_name;
  std::string public_base_url;  // "": not known
  std::string default_room_version;
  const Clock& clock;
  bus::Bus& bus;
  accounts::Accounts& accounts;
  rooms::Rooms& rooms;
  directory::Directory& directory;
  keys::Keys& keys;
  presence::Presence& presence;
  sync::Sync& sync;
  push::Push& push;
  std::function<Task<Result<json::Object>>()> status;  // of all processes, for administrators
  std::function<Task<Result<void>>()> ready;           // else why requests cannot be served well; kUnavailable
  std::function<Task<>()> measure;                     // what is measured when somebody asks for the metrics
};

namespace client {
void add_discovery(Router&, Components&);     // .well-known, versions, capabilities
void add_login(Router&, Components&);         // login, refresh, logout
void add_registration(Router&, Components&);  // register, available, shared secret
void add_account(Router&, Components&);       // whoami, password, deactivate
void add_devices(Router&, Components&);
void add_profile(Router&, Components&);
void add_account_data(Router&, Components&);  // account data, tags
void add_filter(Router&, Components&);
void add_push_rules(Router&, Components&);
void add_room_creation(Router&, Components&);
void add_room_membership(Router&, Components&);  // join, leave, invite, kick, ban, unban, forget, joined_rooms
void add_sending(Router&, Components&);          // send, state PUT, redact
void add_room_state(Router&, Components&);       // state GET, members, joined_members, aliases
void add_room_events(Router&, Components&);      // event, messages, context
void add_directory(Router&, Components&);        // aliases, list visibility
void add_public_rooms(Router&, Components&);     // publicRooms
void add_keys(Router&, Components&);             // keys/*
void add_to_device(Router&, Components&);
void add_key_backup(Router&, Components&);
void add_typing(Router&, Components&);
void add_presence(Router&, Components&);
void add_receipts(Router&, Components&);  // receipt, read_markers
void add_sync(Router&, Components&);
void add_pushers(Router&, Components&);
void add_all(Router&, Components&);  // every one of them
}  // namespace client

void add_operations(Router&, Components&);  // /_myelin/health, /_myelin/metrics (api/admin)
void add_parked(Router&, Components&);      // /_myelin/admin/parked
void add_status(Router&, Components&);      // /_myelin/admin/status
void add_unserved(Router&);                 // what the spec has and this server not yet

}  // namespace myelin::api
