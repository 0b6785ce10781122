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

Task<net::Response> get_metrics(Call) {
  static auto& rss = metrics::gauge("process_resident_memory_bytes", "Resident memory");
  rss.Set(resident_bytes());
  net::Response response;
  response.content_type = "text/plain; version=0.0.4";
  response.body = metrics::expose();
  co_return response;
}

Task<Result<std::string>> healthy(Call) { co_return std::string(R"({"status":"ok"})"); }

}  // namespace

// Requests are served only once everything has started, so whoever answers is ready.
void add_operations(Router& router, Components&) {
  router.add_raw(net::Method::kGet, "/_myelin/metrics", get_metrics);
  for (const char* path : {"/_myelin/health", "/_myelin/health/live", "/_myelin/health/ready"})
    router.add(net::Method::kGet, path, Auth::kNone, healthy);
}

}  // namespace myelin::api
