// Options of each part, from the configuration: what `serve` and the administrator's commands have in common.
#pragma once
#include "app/config.h"
#include "components/accounts/accounts.h"
#include "components/rooms/rooms.h"
#include "infra/bus/jetstream_bus.h"
#include "infra/db/db.h"

namespace myelin::app {

db::Options database_options(const Config&);
bus::JetStreamOptions bus_options(const Config&);
accounts::Config accounts_config(const Config&);
rooms::Config rooms_config(const Config&);
lease::Process about_process(const Config&);
// What clients are told; "": it is not known.
std::string public_base_url(const Config&);
std::string signing_key_path(const Config&);
Result<void> make_data_directory(const Config&);
Result<void> check_data_directory(const Config&);  // that a server has run on it; kNotFound

}  // namespace myelin::app
