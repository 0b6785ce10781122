// Messages to devices stay until their device acknowledges them by a later token (client-server API, Send-to-Device
// messaging). Thread: the loop.
#pragma once
#include "components/accounts/accounts.h"
#include "components/sync/feed.h"

namespace myelin::sync {

class Mailboxes {
 public:
  explicit Mailboxes(db::Database& db) : db_(db) {}
  // The device has everything up to `position`: that goes. No SQL where memory knows that nothing is there. What cannot
  // be deleted now is at a later call.
  Task<Result<void>> acknowledge(accounts::Session, int64_t position, SubscriberPtr);

 private:
  db::Database& db_;
};

}  // namespace myelin::sync
