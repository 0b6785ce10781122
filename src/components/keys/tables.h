// Statements that several files of this component share.
#pragma once
#include <string>

#include "components/keys/keys.h"

namespace myelin::keys {

// Locks the user's row until the commit and takes `count` numbers for one-time keys. Returns the first.
int64_t lock_user(db::Tx&, const UserId&, int64_t count = 0);

KeyCounts read_counts(db::ReadTx&, const UserId&, const DeviceId&);

void publish_device_list(db::Tx&, const UserId&);
void publish_counts(db::Tx&, const UserId&, const DeviceId&);

// One-time keys, what is known of handed out ones, fallback keys, and signatures on the device's keys.
void erase_key_material(db::Tx&, const UserId&, const DeviceId&);
// Signatures on the device's keys that were uploaded apart from them.
void erase_signatures(db::Tx&, const UserId&, const DeviceId&);

json::Object counts_object(const KeyCounts&);  // {"signed_curve25519": 50}

}  // namespace myelin::keys
