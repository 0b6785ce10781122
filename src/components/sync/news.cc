#include "components/sync/news.h"

#include "base/bytes.h"

namespace myelin::sync {
namespace {

constexpr uint64_t kVersion = 2;

// One function names the fields of each record, for writing and for reading.
class Writer {
 public:
  explicit Writer(std::string& out) : out_(out) {}
  void operator()(const UserId& id) { append_string(out_, id.str()); }
  void operator()(const DeviceId& id) { append_string(out_, id.str()); }
  void operator()(const RoomId& id) { append_string(out_, id.str()); }
  void operator()(std::integral auto number) { append_varint(out_, static_cast<uint64_t>(number)); }
  template <class T>
  void list(const std::vector<T>& all) {
    append_varint(out_, all.size());
    for (const auto& each : all) fields(*this, each);
  }

 private:
  std::string& out_;
};

class Reader {
 public:
  explicit Reader(std::string_view in) : in_(in) {}
  bool ok() const { return ok_; }
  template <class Id>
    requires requires(std::string text) { Id::trusted(text); }
  void operator()(Id& id) {
    auto text = read_string(in_);
    ok_ &= text.has_value();
    id = Id::trusted(std::string(text.value_or("")));
  }
  template <std::integral T>
  void operator()(T& number) {
    auto value = read_varint(in_);
    ok_ &= value.has_value();
    number = static_cast<T>(value.value_or(0));
  }
  template <class T>
  void list(std::vector<T>& all) {
    uint64_t size = 0;
    (*this)(size);
    for (; ok_ && size > 0; --size) {
      all.emplace_back();
      fields(*this, all.back());
    }
  }

 private:
  std::string_view in_;
  bool ok_ = true;
};

template <class T, class Of>
concept Is = std::same_as<std::remove_const_t<T>, Of>;

void fields(auto& io, Is<News::Room> auto& each) { io(each.room_no), io(each.pos); }
void fields(auto& io, Is<News::User> auto& each) { io(each.user), io(each.pos); }
void fields(auto& io, Is<News::Member> auto& each) { io(each.user), io(each.room_no), io(each.is_joined); }
void fields(auto& io, Is<News::Message> auto& each) { io(each.user), io(each.device), io(each.pos); }
void fields(auto& io, Is<News::Written> auto& each) { io(each.user), io(each.room_no), io(each.order); }
void fields(auto& io, Is<News::Gone> auto& each) { io(each.room), io(each.user); }
void fields(auto& io, Is<News> auto& news) {
  io(news.first), io(news.last);
  io.list(news.rooms), io.list(news.users), io.list(news.members), io.list(news.messages), io.list(news.written);
  io.list(news.gone), io(news.new_rules);
}

}  // namespace

std::string encode(const News& news) {
  std::string out;
  append_varint(out, kVersion);
  Writer writer(out);
  fields(writer, news);
  return out;
}

Result<News> decode_news(std::string_view in) {
  if (read_varint(in) != kVersion) return fail(Code::kCorrupt, "news of another version");
  News news;
  Reader reader(in);
  fields(reader, news);
  if (!reader.ok()) return fail(Code::kCorrupt, "news that are cut short");
  return news;
}

}  // namespace myelin::sync
