// Reading request bodies: a field of the wrong type is M_BAD_JSON, a missing one that is needed M_MISSING_PARAM.
#pragma once
#include <optional>
#include <string>

#include "matrix/json.h"

namespace myelin::api {

bool has(const json::Object&, std::string_view key);  // and it is not null
// nullopt when absent or null.
Result<std::optional<std::string>> optional_text(const json::Object&, std::string_view key);
Result<std::string> required_text(const json::Object&, std::string_view key);
Result<bool> optional_flag(const json::Object&, std::string_view key, bool otherwise);
Result<std::optional<int64_t>> optional_count(const json::Object&, std::string_view key);  // not negative
Result<json::Object> optional_object(const json::Object&, std::string_view key);           // {} when absent
Result<json::Array> optional_array(const json::Object&, std::string_view key);             // [] when absent

}  // namespace myelin::api
