// How far a move is: a bar that is written over on a terminal, a line now and then elsewhere. Thread: one.
#pragma once
#include <cstdio>
#include <string>

#include "base/clock.h"
#include "infra/db/move.h"

namespace myelin::app {

// "copying    [######----] 60 %  600000 of 1000000 rows, 30000/s, 14 s left (event)"; `seconds` since the step began.
std::string progress_text(const db::MoveProgress&, double seconds);

class ProgressLine {
 public:
  ProgressLine(std::FILE* out, bool is_terminal, const Clock& clock)
      : out_(out), is_terminal_(is_terminal), clock_(clock) {}
  ~ProgressLine();  // ends a bar's line
  ProgressLine(const ProgressLine&) = delete;
  void show(const db::MoveProgress&);

 private:
  std::FILE* out_;
  bool is_terminal_, has_bar_ = false, is_new_ = true, is_complete_ = false;
  const Clock& clock_;
  db::MoveProgress::Step step_{};
  std::chrono::steady_clock::time_point begun_{}, shown_{};
};

}  // namespace myelin::app
