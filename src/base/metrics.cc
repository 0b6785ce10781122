#include "base/metrics.h"

#include <prometheus/text_serializer.h>

namespace myelin::metrics {

prometheus::Registry& registry() {
  static prometheus::Registry instance(prometheus::Registry::InsertBehavior::Merge);
  return instance;
}

prometheus::Counter& counter(const std::string& name, const std::string& help, const Labels& labels) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry()).Add(labels);
}

prometheus::Gauge& gauge(const std::string& name, const std::string& help, const Labels& labels) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry()).Add(labels);
}

prometheus::Histogram& histogram(const std::string& name, const std::string& help, const Labels& labels,
                                 prometheus::Histogram::BucketBoundaries bounds) {
  if (bounds.empty()) bounds = {.0001, .0003, .001, .003, .01, .03, .1, .3, 1, 3, 10};
  return prometheus::BuildHistogram().Name(name).Help(help).Register(registry()).Add(labels, bounds);
}

std::string expose() { return prometheus::TextSerializer().Serialize(registry().Collect()); }

}  // namespace myelin::metrics
