// Does this compiler run everyday coroutine shapes correctly? g++ 12 fails 11 of them. Every shape runs to its end, and
// is destroyed at each of its suspensions: objects made must equal objects destroyed.
#include <gtest/gtest.h>

#include <coroutine>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace {

int alive = 0;  // counted objects that exist now

struct Counted {
  std::string text;
  explicit Counted(std::string t = "") : text(std::move(t)) { ++alive; }
  Counted(const Counted& other) : text(other.text) { ++alive; }
  Counted(Counted&& other) noexcept : text(std::move(other.text)) { ++alive; }
  Counted& operator=(const Counted&) = default;
  Counted& operator=(Counted&&) = default;
  ~Counted() { --alive; }
};
struct Pair {
  Counted a, b;
};
struct Options {
  Counted name = Counted("default");
  int number = 7;
};

// A lazy task that suspends at every co_await Step{} until resumed from outside.
std::coroutine_handle<> waiting;
int steps = 0;
struct Step {
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> handle) const noexcept {
    ++steps;
    waiting = handle;
  }
  void await_resume() const noexcept {}
};

template <class T>
struct Task {
  struct promise_type {
    std::optional<T> value;
    std::coroutine_handle<> parent;
    Task get_return_object() { return Task{std::coroutine_handle<promise_type>::from_promise(*this)}; }
    std::suspend_always initial_suspend() noexcept { return {}; }
    struct Final {
      bool await_ready() noexcept { return false; }
      std::coroutine_handle<> await_suspend(std::coroutine_handle<promise_type> self) noexcept {
        return self.promise().parent ? self.promise().parent : std::noop_coroutine();
      }
      void await_resume() noexcept {}
    };
    Final final_suspend() noexcept { return {}; }
    void return_value(T v) { value.emplace(std::move(v)); }
    void unhandled_exception() { std::terminate(); }
  };
  explicit Task(std::coroutine_handle<promise_type> h) : handle(h) {}
  Task(Task&& other) noexcept : handle(std::exchange(other.handle, nullptr)) {}
  Task& operator=(Task&&) = delete;
  ~Task() {
    if (handle) handle.destroy();
  }
  bool await_ready() const noexcept { return false; }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> parent) noexcept {
    handle.promise().parent = parent;
    return handle;
  }
  T await_resume() { return std::move(*handle.promise().value); }
  std::coroutine_handle<promise_type> handle;
};

using Shape = Task<std::string>;

Task<Counted> make(std::string text) {
  co_await Step{};
  co_return Counted(std::move(text));
}
Task<std::string> take(Counted c) {
  co_await Step{};
  co_return c.text;
}
Task<std::string> take_pair(Pair p) {
  co_await Step{};
  co_return p.a.text + p.b.text;
}
Task<std::string> take_options(Options o = {}) {
  co_await Step{};
  co_return o.name.text + std::to_string(o.number);
}
Task<std::string> take_all(std::vector<Counted> all) {
  co_await Step{};
  std::string out;
  for (auto& c : all) out += c.text;
  co_return out;
}
Task<std::optional<Counted>> maybe(bool yes) {
  co_await Step{};
  if (!yes) co_return std::nullopt;
  co_return Counted("yes");
}
Task<std::vector<Counted>> list() {
  co_await Step{};
  std::vector<Counted> out;
  for (auto text : {"x", "y", "z"}) out.emplace_back(text);
  co_return out;
}

Shape temporary_argument() { co_return co_await take(Counted("a")); }
Shape aggregate_argument() { co_return co_await take_pair(Pair{Counted("a"), Counted("b")}); }
Shape braced_argument() { co_return co_await take_pair({Counted("a"), Counted("b")}); }
Shape designated_argument() { co_return co_await take_pair({.a = Counted("a"), .b = Counted("b")}); }
Shape default_argument() { co_return co_await take_options(); }
Shape partly_designated() { co_return co_await take_options({.number = 9}); }
Shape aggregate_from_await() {
  Pair pair{co_await make("a"), co_await make("b")};
  co_return pair.a.text + pair.b.text;
}
Shape designated_from_await() {
  Pair pair{.a = co_await make("a"), .b = co_await make("b")};
  co_return pair.a.text + pair.b.text;
}
Shape argument_from_await() { co_return co_await take(co_await make("a")); }
Shape pair_from_awaits() { co_return co_await take_pair({co_await make("a"), co_await make("b")}); }
Shape conditional_then() {
  bool yes = alive >= 0;
  auto c = yes ? co_await make("then") : Counted("else");
  co_return c.text;
}
Shape conditional_else() {
  bool yes = alive < 0;
  auto c = yes ? Counted("then") : co_await make("else");
  co_return c.text;
}
Shape conditional_both() {
  bool yes = alive >= 0;
  co_return (yes ? co_await make("a") : co_await make("b")).text;
}
Shape vector_argument() { co_return co_await take_all({Counted("a"), Counted("b")}); }
Shape vector_of_awaits() { co_return co_await take_all({co_await make("a"), co_await make("b")}); }
Shape range_for_over_await() {
  std::string out;
  for (auto& c : co_await list()) out += c.text;
  co_return out;
}
Shape await_in_range_for() {
  std::string out;
  std::vector<Counted> all(3, Counted("p"));
  for (auto& c : all) out += co_await take(c);
  co_return out;
}
Shape condition_variable() {
  if (auto found = co_await maybe(true)) co_return found->text;
  co_return "none";
}
Shape short_circuit() {
  bool both = (co_await maybe(false)).has_value() && (co_await maybe(true)).has_value();
  co_return both ? "both" : "not both";
}
Shape structured_binding() {
  auto [a, b] = Pair{co_await make("a"), co_await make("b")};
  co_return a.text + b.text;
}
Shape lambda_argument() {
  std::function<std::string()> f = [c = co_await make("captured")] { return c.text; };
  co_await Step{};
  co_return f();
}
Shape string_building() { co_return "<" + (co_await make("m")).text + std::string(">") + co_await take(Counted("n")); }
Shape move_only() {
  auto p = std::make_unique<Counted>(co_await make("unique"));
  co_await Step{};
  co_return p->text;
}
Shape local_array() {
  Counted both[] = {co_await make("a"), co_await make("b")};
  co_return both[0].text + both[1].text;
}
Shape try_block() {
  std::string out;
  try {
    auto c = co_await make("in try");
    out = c.text;
    throw 1;
  } catch (int) {
    out += "!";
  }
  co_await Step{};
  co_return out;
}
Shape map_of_awaits() {
  std::map<std::string, Counted> all{{"k", co_await make("v")}};
  co_return all.at("k").text;
}

struct Case {
  const char* name;
  Shape (*start)();
  const char* result;
};
const Case kCases[] = {
    {"temporary_argument", temporary_argument, "a"},
    {"aggregate_argument", aggregate_argument, "ab"},
    {"braced_argument", braced_argument, "ab"},
    {"designated_argument", designated_argument, "ab"},
    {"default_argument", default_argument, "default7"},
    {"partly_designated", partly_designated, "default9"},
    {"aggregate_from_await", aggregate_from_await, "ab"},
    {"designated_from_await", designated_from_await, "ab"},
    {"argument_from_await", argument_from_await, "a"},
    {"pair_from_awaits", pair_from_awaits, "ab"},
    {"conditional_then", conditional_then, "then"},
    {"conditional_else", conditional_else, "else"},
    {"conditional_both", conditional_both, "a"},
    {"vector_argument", vector_argument, "ab"},
    {"vector_of_awaits", vector_of_awaits, "ab"},
    {"range_for_over_await", range_for_over_await, "xyz"},
    {"await_in_range_for", await_in_range_for, "ppp"},
    {"condition_variable", condition_variable, "yes"},
    {"short_circuit", short_circuit, "not both"},
    {"structured_binding", structured_binding, "ab"},
    {"lambda_argument", lambda_argument, "captured"},
    {"string_building", string_building, "<m>n"},
    {"move_only", move_only, "unique"},
    {"local_array", local_array, "ab"},
    {"try_block", try_block, "in try!"},
    {"map_of_awaits", map_of_awaits, "v"},
};

class CoroutineShape : public testing::TestWithParam<Case> {};

// Runs the shape, stopping (and destroying it) at suspension `stop_at`; -1 = to the end. Returns its value, if it
// ended.
std::optional<std::string> run(const Case& shape, int stop_at) {
  steps = 0;
  waiting = nullptr;
  auto task = shape.start();
  task.handle.resume();
  while (!task.handle.done()) {
    if (steps == stop_at) return std::nullopt;
    std::exchange(waiting, nullptr).resume();
  }
  return task.handle.promise().value;
}

TEST_P(CoroutineShape, RunsToItsEnd) {
  int before = alive;
  EXPECT_EQ(run(GetParam(), -1), GetParam().result);
  EXPECT_EQ(alive, before) << "objects leaked or destroyed twice";
}

TEST_P(CoroutineShape, CanBeDestroyedAtEverySuspension) {
  int before = alive;
  run(GetParam(), -1);
  int suspensions = steps;
  ASSERT_GT(suspensions, 0);
  for (int i = 1; i <= suspensions; ++i) {
    EXPECT_FALSE(run(GetParam(), i)) << "suspension " << i;
    EXPECT_EQ(alive, before) << "destroyed at suspension " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Everyday, CoroutineShape, testing::ValuesIn(kCases),
                         [](const auto& param) { return std::string(param.param.name); });

}  // namespace
