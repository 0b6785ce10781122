// Any JSON object as the body of /keys/upload and /keys/device_signing/upload: what is accepted fits the tables.
#include "matrix/device_keys.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto body = myelin::json::parse_object({reinterpret_cast<const char*>(data), size});
  if (!body) return 0;
  auto user = myelin::UserId::trusted("@alice:here");
  auto upload = myelin::check_key_upload(*body, user, myelin::DeviceId::trusted("PHONE"));
  if (upload)
    for (const auto& key : upload->one_time_keys)
      if (!myelin::is_storable(key.id) || key.body.empty()) __builtin_trap();
  auto signing = myelin::check_cross_signing(*body, user);
  if (signing && signing->master && signing->self_signing)
    (void)myelin::check_signed_by_master(*signing->self_signing, user, signing->master->public_key);
  return 0;
}
