// The other machines: a push gateway that takes everything. Thread: the one there is.
#pragma once
#include <boost/json.hpp>

#include "infra/net/http_client.h"
#include "tests/simulate/ledger.h"
#include "tests/simulate/world.h"

namespace myelin::simulate {

class Outside final : public net::HttpClient {
 public:
  Outside(World& world, Ledger& ledger) : world_(world), ledger_(ledger) {}
  Task<Result<net::Response>> send(net::OutboundRequest request) override {
    co_await sleep_for(world_.between(milliseconds(1), milliseconds(100)));
    auto body = boost::json::parse(request.body);
    auto* id = body.at("notification").as_object().if_contains("event_id");
    if (id != nullptr) ledger_.pushed.insert(std::string(id->as_string()));
    net::Response response;
    response.body = R"({"rejected":[]})";
    co_return response;
  }

 private:
  World& world_;
  Ledger& ledger_;
};

}  // namespace myelin::simulate
