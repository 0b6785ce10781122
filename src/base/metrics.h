// Metrics in Prometheus' data model. A metric is made once, by its owner's constructor, and lives as long as the
// process. Names: myelin_<component>_<what>_<unit>. Threads: any.
#pragma once
#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <map>
#include <string>

namespace myelin::metrics {

using Labels = std::map<std::string, std::string>;

prometheus::Registry& registry();
prometheus::Counter& counter(const std::string& name, const std::string& help, const Labels& = {});
prometheus::Gauge& gauge(const std::string& name, const std::string& help, const Labels& = {});
// Bounds in seconds, 100 us to 10 s, unless given.
prometheus::Histogram& histogram(const std::string& name, const std::string& help, const Labels& = {},
                                 prometheus::Histogram::BucketBoundaries bounds = {});
std::string expose();  // the text format, every metric

}  // namespace myelin::metrics
