// What was measured: printed, and as JSON.
#pragma once
#include <map>
#include <string>
#include <vector>

namespace myelin::bench {

struct Row {
  std::string work, bar;
  double rate = 0;                      // per second; 0: not a rate
  double p50 = 0, p99 = 0;              // milliseconds
  std::string figure{};                 // when neither
  std::map<std::string, double> cpu{};  // microseconds per operation, by kind of program
};

void print(const std::vector<Row>&);
void write_json(const std::vector<Row>&, const std::string& file);
double percentile(const std::vector<double>& sorted, double p);  // 0 for none

}  // namespace myelin::bench
