#include "api/client/routes.h"

namespace myelin::api::client {

void add_all(Router& router, Components& on) {
  for (auto add : {add_discovery,       add_login,        add_registration, add_account,     add_devices,
                   add_profile,         add_account_data, add_filter,       add_push_rules,  add_room_creation,
                   add_room_membership, add_sending,      add_room_state,   add_room_events, add_directory,
                   add_public_rooms,    add_keys,         add_to_device,    add_key_backup,  add_typing,
                   add_presence,        add_receipts,     add_sync,         add_pushers})
    add(router, on);
}

}  // namespace myelin::api::client
