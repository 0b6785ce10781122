#include "api/client/fields.h"

namespace myelin::api {
namespace {

const json::Value* present(const json::Object& body, std::string_view key) {
  const auto* value = body.if_contains(key);
  return value == nullptr || value->is_null() ? nullptr : value;
}
std::unexpected<Error> wrong_type(std::string_view key, std::string_view wanted) {
  return fail(Code::kBadJson, std::string(key) + " must be " + std::string(wanted));
}

}  // namespace

bool has(const json::Object& body, std::string_view key) { return present(body, key) != nullptr; }

Result<std::optional<std::string>> optional_text(const json::Object& body, std::string_view key) {
  const auto* value = present(body, key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_string()) return wrong_type(key, "a string");
  return std::string(value->as_string());
}

Result<std::string> required_text(const json::Object& body, std::string_view key) {
  MYELIN_TRY(auto text, optional_text(body, key));
  if (!text) return fail(Code::kMissingParam, std::string(key) + " is required");
  return *text;
}

Result<bool> optional_flag(const json::Object& body, std::string_view key, bool otherwise) {
  const auto* value = present(body, key);
  if (value == nullptr) return otherwise;
  if (!value->is_bool()) return wrong_type(key, "true or false");
  return value->as_bool();
}

Result<std::optional<int64_t>> optional_count(const json::Object& body, std::string_view key) {
  const auto* value = present(body, key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_int64() || value->as_int64() < 0) return wrong_type(key, "a whole number, not negative");
  return value->as_int64();
}

Result<json::Object> optional_object(const json::Object& body, std::string_view key) {
  const auto* value = present(body, key);
  if (value == nullptr) return json::Object();
  if (!value->is_object()) return wrong_type(key, "an object");
  return value->as_object();
}

Result<json::Array> optional_array(const json::Object& body, std::string_view key) {
  const auto* value = present(body, key);
  if (value == nullptr) return json::Array();
  if (!value->is_array()) return wrong_type(key, "an array");
  return value->as_array();
}

}  // namespace myelin::api
