// Glob-style matching (appendices) as it is defined, one code point at a time: what Glob is compared with. For fuzzers.
#pragma once
#include <string_view>

#include "matrix/glob.h"

namespace myelin::testing {

// As Glob::matches() and Glob::matches_words(). Both texts are valid UTF-8.
bool matches_literally(std::string_view pattern, std::string_view text, Wildcards = Wildcards::kStarAndQuestionMark);
bool matches_words_literally(std::string_view pattern, std::string_view text,
                             Wildcards = Wildcards::kStarAndQuestionMark);

}  // namespace myelin::testing
