// Glob patterns (appendices, Glob-style matching) and case folding. Matching a pattern without "?" takes time in
// proportion to text and pattern, whatever they are; one with "?" text length × pattern length / 64. Any thread.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace myelin {

enum class Wildcards : uint8_t { kNone, kStar /* "*" alone */, kStarAndQuestionMark };

class Glob {
 public:
  explicit Glob(std::string_view pattern, Wildcards = Wildcards::kStarAndQuestionMark);
  bool matches(std::string_view text) const;  // the whole text
  // Any part of the text that starts and ends at a word boundary: the start or end of the text, or beside a character
  // other than A-Z, a-z, 0-9 and "_" (client-server API, Conditions for push rules).
  bool matches_words(std::string_view text) const;
  size_t memory_bytes() const;  // roughly, of the heap

 private:
  enum class Where : bool { kWhole, kWords };

  // Without "?": what stands between the stars, before the first and after the last, to be found one after the other.
  struct Part {
    std::string text;
    std::vector<uint32_t> borders;  // by length: the longest proper prefix of that much of the text that also ends it
  };
  static Part part(std::string_view text);
  template <class Accept>
  static size_t find(const Part&, std::string_view text, size_t from, Accept accept);
  void split(std::string_view pattern, Wildcards);
  bool matches_parts(std::string_view text) const;
  bool matches_parts_by_words(std::string_view text) const;

  // With "?": all ways to match are followed at once.
  void make_automaton(std::string_view pattern);
  bool run(std::string_view text, Where) const;

  std::vector<Part> parts_;                  // empty where there is a "?"
  std::string literal_;                      // the longest part without wildcards: it is in every text that matches
  size_t length_ = 0;                        // elements of the pattern that are not "*"
  std::vector<uint8_t> class_of_;            // byte -> row of masks_; row 0: bytes that are not in the pattern
  std::vector<uint64_t> masks_;              // rows of words: which elements a byte matches
  std::vector<uint64_t> stars_, questions_;  // sets of states
  size_t words_ = 1;
};

// For comparing without regard to case: Unicode's simple case folding, of every script, but that nothing else becomes a
// letter of ASCII. What is no UTF-8 stays.
std::string fold_case(std::string_view);

}  // namespace myelin
