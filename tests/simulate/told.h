// What a client was told, part by part: an answer of /sync without news must have waited. Thread: the one there is.
#pragma once
#include <boost/json.hpp>
#include <map>
#include <string>

namespace myelin::simulate {

class Told {
 public:
  // Is there anything in the answer that is not as it was told last?
  bool has_news(const boost::json::object& answer);

 private:
  void part(const std::string& name, const boost::json::value&);
  void events(const std::string& of, const boost::json::object& section, const char* key);
  void room(const std::string& name, boost::json::object);

  std::map<std::string, std::string> known_;
  bool news_ = false;
};

}  // namespace myelin::simulate
