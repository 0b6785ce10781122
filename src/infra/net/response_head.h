// The head of an answer as bytes. Thread: the loop.
#pragma once
#include <string>

#include "base/clock.h"
#include "infra/net/http_server.h"

namespace myelin::net {

// RFC 9110: an answer with one of these has no body (15.3.5, 15.4.5).
constexpr bool has_no_body(int status) { return status == 204 || status == 304; }

class ResponseHeads {
 public:
  explicit ResponseHeads(const Clock& clock) : clock_(clock) {}
  // From the status line to the empty line. A field whose name or value could be read as more than one field is left
  // out.
  std::string make(const Response&, bool keep_alive);

 private:
  const std::string& date();  // the Date field's value, made once a second

  const Clock& clock_;
  int64_t second_ = -1;
  std::string date_;
};

}  // namespace myelin::net
