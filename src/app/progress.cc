#include "app/progress.h"

#include <fmt/format.h>

#include <algorithm>

namespace myelin::app {
namespace {

constexpr std::string_view kSteps[] = {"reading", "copying", "comparing"};
constexpr std::chrono::milliseconds kBetweenBars{100};
constexpr std::chrono::seconds kBetweenLines{5};

std::string time_text(double seconds) {
  auto whole = static_cast<int64_t>(seconds + 0.5);
  if (whole < 100) return fmt::format("{} s", whole);
  if (whole < 100 * 60) return fmt::format("{} min", (whole + 30) / 60);
  return fmt::format("{} h", (whole + 1'800) / 3'600);
}

}  // namespace

std::string progress_text(const db::MoveProgress& progress, double seconds) {
  constexpr int kWidth = 30;
  auto all = std::max({progress.all_rows, progress.rows, int64_t{1}});
  auto filled = static_cast<int>(progress.rows * kWidth / all);
  auto out = fmt::format("{:<9} [{:#<{}}{:-<{}}] {:>3} %  {} of {} rows", kSteps[static_cast<size_t>(progress.step)],
                         "", filled, "", kWidth - filled, progress.rows * 100 / all, progress.rows, all);
  auto done = static_cast<double>(progress.rows - progress.found_rows);
  if (seconds >= 1 && done > 0)
    out += fmt::format(", {:.0f}/s, {} left", done / seconds,
                       time_text(static_cast<double>(all - progress.rows) * seconds / done));
  return out + fmt::format(" ({})", progress.table);
}

ProgressLine::~ProgressLine() {
  if (has_bar_) fmt::print(out_, "\n");
}

void ProgressLine::show(const db::MoveProgress& progress) {
  auto now = clock_.steady();
  bool was_complete = std::exchange(is_complete_, progress.rows >= progress.all_rows);
  if (is_new_ || step_ != progress.step) {
    if (has_bar_) fmt::print(out_, "\n");
    step_ = progress.step;
    begun_ = now;
    is_new_ = has_bar_ = false;
  } else {
    bool is_last = is_complete_ && !was_complete;
    if (!is_last && now - shown_ < (is_terminal_ ? std::chrono::milliseconds(kBetweenBars) : kBetweenLines)) return;
  }
  shown_ = now;
  auto text = progress_text(progress, std::chrono::duration<double>(now - begun_).count());
  has_bar_ = is_terminal_;
  fmt::print(out_, "{}{}{}", is_terminal_ ? "\r" : "", text, is_terminal_ ? "\033[K" : "\n");
  std::fflush(out_);
}

}  // namespace myelin::app
