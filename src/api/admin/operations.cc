// For whoever runs the server: health and metrics.
#include <unistd.h>

#include <fstream>

#include "api/client/routes.h"
#include "base/metrics.h"

namespace myelin::api {
namespace {

double resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  double total = 0, resident = 0;
  statm >> total >> resident;
  return resident * static_cast<double>(::sysconf(_SC_PAGESIZE));
}

Task<net::Response> get_metrics(Components& on, Call) {
  co_await on.measure();
  static auto& rss = metrics::gauge("process_resident_memory_bytes", "Resident memory");
  rss.Set(resident_bytes());
  net::Response response;
  response.content_type = "text/plain; version=0.0.4";
  response.body = metrics::expose();
  co_return response;
}

std::string fine() { return R"({"status":"ok"})"; }

Task<Result<std::string>> live(Call) { co_return fine(); }

// Asked again and again: what it answers is logged by who finds it out, when it changes.
Task<net::Response> ready(Components& on, Call) {
  if (auto ready = co_await on.ready(); !ready) co_return error_response(ready.error());
  net::Response response;
  response.body = fine();
  co_return response;
}

}  // namespace

void add_operations(Router& router, Components& on) {
  router.add_raw(net::Method::kGet, "/_myelin/metrics", [&on](Call call) { return get_metrics(on, std::move(call)); });
  router.add(net::Method::kGet, "/_myelin/health/live", Auth::kNone, live);
  for (const char* path : {"/_myelin/health", "/_myelin/health/ready"})
    router.add_raw(net::Method::kGet, path, [&on](Call call) { return ready(on, std::move(call)); });
}

}  // namespace myelin::api
